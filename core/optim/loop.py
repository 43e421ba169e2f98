"""Minimise a loss whose gradient is known, with Adam or L-BFGS, where the arrays live.

One interface for both: `optimise(evaluate, start, steps, optimiser=...)`. `evaluate(parameters, step)` gives the
losses, one per item of the batch, and the gradient of their sum; `step` lets it draw a new random transform each time.
For work that takes minutes, `long_run` keeps snapshots, gives the best so far on ctrl-C, SIGTERM or SIGHUP, and goes
on from a saved state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..arrays import Array, namespace
from ..errors import DivergedError, ParameterError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress, silent
from ..method.parameter import Bounds, check_value
from .adam import Adam
from .base import Amend, Evaluate, Optimiser, Report, State

__all__ = ["Run", "check_finite", "long_run", "optimise"]


def optimise(
    evaluate: Evaluate,
    start: Array | State,
    steps: int,
    *,
    optimiser: Optimiser | None = None,
    progress: Progress = silent,
    describe: Callable[[float], str] = "loss {:.4g}".format,
    amend: Amend | None = None,
    watch: Report | None = None,
) -> tuple[Array, Array]:
    """Minimise the sum of the losses.

    Args:
        evaluate: losses (N,) and the gradient of their sum, at given parameters and step.
        start: parameters of any shape, or the state after an earlier run's last step.
        steps: at most this many, those of the earlier run included.
        optimiser: `Adam` or `LBFGS`; Adam with its published constants if not given.
        progress: told after each step.
        describe: the text of `progress`, from the loss.
        amend: changes the parameters after each step; Adam only.
        watch: told the state after each step, and the losses.

    Returns:
        The last parameters, in the namespace of `start`, and the history: for Adam the losses (steps, N) before each
        step, for L-BFGS their sum at the start and after each step, (steps + 1, 1). Of an earlier run's, nothing.

    Raises:
        ParameterError: `steps` is less than one, or the earlier run has taken them all.
        DivergedError: a parameter, a loss or a gradient is NaN or infinite; the message names the step.
    """
    check_value("steps", steps, int, Bounds(minimum=1))
    state = start if isinstance(start, State) else State(start)
    if state.step >= steps:
        raise ParameterError(f"steps is {steps}, and the run to go on from has taken {state.step}; ask for more")
    history: list[Array] = []

    def checked(x: Array, step: int) -> tuple[Array, Array]:
        check_finite("parameters", x, step, sound=step - 1)
        losses, gradient = evaluate(x, step)
        check_finite("loss", losses, step, sound=step)
        check_finite("gradient", gradient, step, sound=step)
        return losses, gradient

    def report(now: State, losses: Array) -> None:
        history.append(losses)
        if watch is not None:
            watch(now, losses)
        if now.step:
            progress(now.step, steps, describe(float(namespace(losses).sum(losses))))

    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1, user_api="blas"):
        parameters = (optimiser or Adam()).minimise(checked, state, steps, report, amend)
    return parameters, _stack_losses(history, state.parameters)


@dataclass(frozen=True)
class Run:
    """The result of a long run."""

    parameters: Array
    """The last, or where it was interrupted those of the least loss seen."""
    history: Array
    """As `optimise` gives it, an earlier run's steps first."""
    state: State
    """After the last whole step."""
    snapshots: tuple[tuple[int, Array], ...] = ()
    """(steps done, parameters) every so many steps."""
    interrupted: bool = False


@stop_on_signals()
def long_run(
    evaluate: Evaluate,
    start: Array | State,
    steps: int,
    *,
    past: Array = None,
    every: int | None = None,
    keep: Callable[[Run], None] | None = None,
    **settings: Any,
) -> Run:
    """As `optimise`, for work that takes minutes: ctrl-C ends it with the best so far, and it can go on later.

    Args:
        evaluate, start, steps: as for `optimise`.
        past: the history of the run that `start` is the state of.
        every: keep a snapshot after each so many steps.
        keep: told the run so far after each of them.
        settings: the other arguments of `optimise`.

    Raises:
        ParameterError: `every` is less than one; else as `optimise`.
        KeyboardInterrupt: interrupted before the first step was done: there is nothing to give.
    """
    _check_every(every)
    states: list[State] = [start] if isinstance(start, State) and start.step else []
    history: list[Array] = [] if past is None else list(past)
    snapshots: list[tuple[int, Array]] = []
    best: list[tuple[float, Array]] = []

    def remembering(x: Array, step: int) -> tuple[Array, Array]:
        losses, gradient = evaluate(x, step)
        total = float(namespace(losses).sum(losses))
        if not best or total < best[0][0]:
            best[:] = [(total, x)]
        return losses, gradient

    def watch(now: State, losses: Array) -> None:
        states[:] = [now]
        history.append(losses)
        if every and now.step and now.step % every == 0:
            snapshots.append((now.step, now.parameters))
            if keep is not None:
                keep(Run(now.parameters, _stack_losses(history, now.parameters), now, tuple(snapshots), True))

    interrupted = False
    try:
        parameters, _ = optimise(remembering, start, steps, watch=watch, **settings)
    except KeyboardInterrupt:
        if not states:
            raise
        interrupted, parameters = True, best[0][1] if best else states[0].parameters
    return Run(parameters, _stack_losses(history, parameters), states[0], tuple(snapshots), interrupted)


def _stack_losses(history: list[Array], x: Array) -> Array:
    """Losses step by step as one array (steps, N); (0, 1) for none, in the namespace of `x`."""
    xp = namespace(x)
    return xp.stack(history) if history else xp.zeros((0, 1), dtype=x.dtype, device=x.device)


def _check_every(every: int | None) -> None:
    """Refuse what is not a number of steps between snapshots.

    Raises:
        ParameterError: with what was given.
    """
    check_value("every", every, int | None, Bounds(minimum=1))


def check_finite(what: str, values: Array, step: int, *, sound: int = 0) -> None:
    """Refuse NaN and infinite values.

    Args:
        what: the name of the values, for the message.
        values: any shape.
        step: the step they belong to, counted from 0.
        sound: number of steps that ended with finite values; 0 leaves it out of the message.

    Raises:
        DivergedError: with the step, counted from 1.
    """
    xp = namespace(values)
    if not bool(xp.all(xp.isfinite(values))):
        raise DivergedError(
            f"{what} not finite at step {step + 1}: take smaller steps (learning_rate), or smaller weights"
            + f"; steps={sound} end before it" * (sound > 0)
        )
