"""Minimise a loss whose gradient is known: Adam where the arrays live, or SciPy's L-BFGS on the CPU.

One interface for both: `optimise(evaluate, start, steps, optimiser=...)`. `evaluate(parameters, step)` gives the
losses, one per item of the batch, and the gradient of their sum; `step` lets it draw a new random view each time.
For work that takes minutes, `long_run` keeps snapshots, ends well on ctrl-C and goes on from a saved state.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .arrays import Array, as_numpy, like, namespace
from .errors import CrosslensError, ParameterError
from .progress import Progress, silent

__all__ = ["LBFGS", "Adam", "Amend", "Evaluate", "Optimiser", "Run", "State", "long_run", "optimise"]

Evaluate: TypeAlias = Callable[[Array, int], tuple[Array, Array]]
"""(parameters, step, from 0) to (losses (N,), gradient of their sum, shaped as the parameters)."""
Amend: TypeAlias = Callable[[Array, int], Array]
"""(parameters, steps done) to the parameters to go on from: a rule that is no gradient, such as a blur now and then."""


@dataclass(frozen=True)
class State:
    """Where an optimiser stands after a step; all that it needs to go on, bit by bit as if it had never stopped."""

    parameters: Array
    moments: tuple[Array, ...] = ()
    """Adam's two, shaped as the parameters; none for L-BFGS, whose memory is SciPy's own."""
    step: int = 0
    """Steps done."""


Report: TypeAlias = Callable[[State, Array], None]
"""Told the state after a step, and the losses (N,) that were seen there."""


class Optimiser(ABC):
    """A rule from gradients to better parameters."""

    @abstractmethod
    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """Parameters after `steps` steps in all, or fewer where no step can lower the loss any more.

        Raises:
            ParameterError: it cannot go on from a state, or not have its parameters amended.
        """


@dataclass(frozen=True)
class Adam(Optimiser):
    """Kingma and Ba 2015, algorithm 1, in the arrays' own namespace: torch tensors stay on their GPU.

    `bounds`, if given, are kept by projection: after each step parameters are clipped to (low, high).
    """

    learning_rate: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    bounds: tuple[float, float] | None = None

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; always all steps."""
        zeros = namespace(start.parameters).zeros_like(start.parameters)
        state = start if start.moments else State(start.parameters, (zeros, zeros), start.step)
        while state.step < steps:
            losses, gradient = evaluate(state.parameters, state.step)
            state = self._after(state, gradient)
            if amend is not None:
                state = replace(state, parameters=amend(state.parameters, state.step))
            report(state, losses)
        return state.parameters

    def _after(self, state: State, g: Array) -> State:
        xp, (m, v), t = namespace(g), state.moments, state.step + 1
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g * g
        rate = self.learning_rate / (1 - self.beta1**t)
        x = state.parameters - rate * m / (xp.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
        return State(x if self.bounds is None else xp.clip(x, *self.bounds), (m, v), t)


@dataclass(frozen=True)
class LBFGS(Optimiser):
    """SciPy's L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995): for a loss that is the same function at every step.

    One step is one iteration, of one evaluation and sometimes more. `memory` pairs approximate the curvature; `bounds`
    (low, high) hold for every parameter, exactly. It works in float64 on the CPU, whatever computes the loss.
    """

    memory: int = 10
    bounds: tuple[float, float] | None = None

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; ends early where the line search finds nothing lower."""
        from scipy.optimize import Bounds, minimize

        if amend is not None or start.step:
            raise ParameterError("L-BFGS neither goes on from a saved state nor takes rules between steps; take Adam")
        x0, done = start.parameters, -1

        def shaped(flat: np.ndarray[Any, Any]) -> Array:
            return like(flat.reshape(x0.shape), x0)

        def loss_and_gradient(flat: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
            nonlocal done
            losses, gradient = evaluate(shaped(flat), max(done, 0))
            loss = float(as_numpy(losses).sum(dtype=np.float64))
            if done < 0:
                done = 0
                report(start, np.asarray([loss]))
            return loss, as_numpy(gradient).astype(np.float64).ravel()

        def after(intermediate_result: Any) -> None:
            nonlocal done
            done += 1
            report(State(shaped(intermediate_result.x), (), done), np.asarray([intermediate_result.fun]))

        found = minimize(
            loss_and_gradient,
            as_numpy(x0).astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=None if self.bounds is None else Bounds(*self.bounds),
            callback=after,
            options={"maxiter": steps, "maxfun": 20 * steps, "maxcor": self.memory, "ftol": 0.0, "gtol": 0.0},
        )
        return shaped(found.x)


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
        step, for L-BFGS their sum at the start and after each step, (steps + 1, 1).

    Raises:
        ParameterError: `steps` is less than one, or the earlier run has taken them all.
        CrosslensError: a parameter, a loss or a gradient is NaN or infinite; the message names the step.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ParameterError(f"steps is {steps!r}; it must be a whole number, at least 1")
    state = start if isinstance(start, State) else State(start)
    if state.step >= steps:
        raise ParameterError(f"steps is {steps}, and the run to go on from has taken {state.step}; ask for more")
    history: list[Array] = []

    def checked(x: Array, step: int) -> tuple[Array, Array]:
        _check_finite("parameters", x, step)
        losses, gradient = evaluate(x, step)
        _check_finite("loss", losses, step)
        _check_finite("gradient", gradient, step)
        return losses, gradient

    def report(now: State, losses: Array) -> None:
        history.append(losses)
        if watch is not None:
            watch(now, losses)
        if now.step:
            progress(now.step, steps, describe(float(namespace(losses).sum(losses))))

    with threadpool_limits(limits=1, user_api="blas"):
        found = (optimiser or Adam()).minimise(checked, state, steps, report, amend)
    return found, namespace(history[0]).stack(history)


@dataclass(frozen=True)
class Run:
    """What a long run comes back with."""

    parameters: Array
    """The last, or where it was interrupted those of the least loss seen."""
    history: Array
    """As `optimise` gives it, an earlier run's steps first."""
    state: State
    """After the last whole step."""
    snapshots: tuple[tuple[int, Array], ...] = ()
    """(steps done, parameters) every so many steps."""
    interrupted: bool = False


def long_run(
    evaluate: Evaluate,
    start: Array | State,
    steps: int,
    *,
    past: Array = None,
    every: int | None = None,
    **settings: Any,
) -> Run:
    """As `optimise`, for work that takes minutes: ctrl-C ends it with the best so far, and it can go on later.

    Args:
        evaluate, start, steps: as for `optimise`.
        past: the history of the run that `start` is the state of.
        every: keep a snapshot after each so many steps.
        settings: the other arguments of `optimise`.

    Raises:
        ParameterError: `every` is less than one; else as `optimise`.
        KeyboardInterrupt: interrupted before the first step was done: there is nothing to give.
    """
    if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
        raise ParameterError(f"every is {every!r}; it must be a whole number of steps, at least 1")
    states: list[State] = []
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

    interrupted = False
    try:
        found, _ = optimise(remembering, start, steps, watch=watch, **settings)
    except KeyboardInterrupt:
        if not states:
            raise
        interrupted, found = True, best[0][1]
    return Run(found, namespace(history[-1]).stack(history), states[0], tuple(snapshots), interrupted)


def _check_finite(what: str, values: Array, step: int) -> None:
    xp = namespace(values)
    if not bool(xp.all(xp.isfinite(values))):
        raise CrosslensError(
            f"{what} not finite at step {step + 1}: take smaller steps (learning_rate), or smaller weights"
        )
