"""Minimise a loss whose gradient is known: Adam where the arrays live, or SciPy's L-BFGS on the CPU.

One interface for both: `optimise(evaluate, start, steps, optimiser=...)`. `evaluate(parameters, step)` gives the
losses, one per item of the batch, and the gradient of their sum; `step` lets it draw a new random view each time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .arrays import Array, as_numpy, like, namespace
from .errors import CrosslensError, ParameterError
from .progress import Progress, silent

__all__ = ["LBFGS", "Adam", "Evaluate", "Optimiser", "optimise"]

Evaluate: TypeAlias = Callable[[Array, int], tuple[Array, Array]]
"""(parameters, step, from 0) to (losses (N,), gradient of their sum, shaped as the parameters)."""
Report: TypeAlias = Callable[[int, Array], None]
"""Told how many steps are done, and the losses (N,) that were seen there."""


class Optimiser(ABC):
    """A rule from gradients to better parameters."""

    @abstractmethod
    def minimise(self, evaluate: Evaluate, start: Array, steps: int, report: Report) -> Array:
        """Parameters after `steps` steps, or fewer where no step can lower the loss any more."""


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

    def minimise(self, evaluate: Evaluate, start: Array, steps: int, report: Report) -> Array:
        """As `Optimiser.minimise`; always all steps."""
        xp = namespace(start)
        x, m, v = start, xp.zeros_like(start), xp.zeros_like(start)
        for t in range(1, steps + 1):
            losses, g = evaluate(x, t - 1)
            m = self.beta1 * m + (1 - self.beta1) * g
            v = self.beta2 * v + (1 - self.beta2) * g * g
            rate = self.learning_rate / (1 - self.beta1**t)
            x = x - rate * m / (xp.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
            x = x if self.bounds is None else xp.clip(x, *self.bounds)
            report(t, losses)
        return x


@dataclass(frozen=True)
class LBFGS(Optimiser):
    """SciPy's L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995): for a loss that is the same function at every step.

    One step is one iteration, of one evaluation and sometimes more. `memory` pairs approximate the curvature; `bounds`
    (low, high) hold for every parameter, exactly. It works in float64 on the CPU, whatever computes the loss.
    """

    memory: int = 10
    bounds: tuple[float, float] | None = None

    def minimise(self, evaluate: Evaluate, start: Array, steps: int, report: Report) -> Array:
        """As `Optimiser.minimise`; ends early where the line search finds nothing lower."""
        from scipy.optimize import Bounds, minimize

        done = -1

        def loss_and_gradient(flat: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
            nonlocal done
            losses, gradient = evaluate(like(flat.reshape(start.shape), start), max(done, 0))
            loss = float(as_numpy(losses).sum(dtype=np.float64))
            if done < 0:
                done = 0
                report(done, np.asarray([loss]))
            return loss, as_numpy(gradient).astype(np.float64).ravel()

        def after(intermediate_result: Any) -> None:
            nonlocal done
            done += 1
            report(done, np.asarray([intermediate_result.fun]))

        found = minimize(
            loss_and_gradient,
            as_numpy(start).astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=None if self.bounds is None else Bounds(*self.bounds),
            callback=after,
            options={"maxiter": steps, "maxfun": 20 * steps, "maxcor": self.memory, "ftol": 0.0, "gtol": 0.0},
        )
        return like(found.x.reshape(start.shape), start)


def optimise(
    evaluate: Evaluate,
    start: Array,
    steps: int,
    *,
    optimiser: Optimiser | None = None,
    progress: Progress = silent,
    describe: Callable[[float], str] = "loss {:.4g}".format,
) -> tuple[Array, Array]:
    """Minimise the sum of the losses.

    Args:
        evaluate: losses (N,) and the gradient of their sum, at given parameters and step.
        start: parameters of any shape.
        steps: at most this many.
        optimiser: `Adam` or `LBFGS`; Adam with its published constants if not given.
        progress: told after each step.
        describe: the text of `progress`, from the loss.

    Returns:
        The last parameters, in the namespace of `start`, and the history: for Adam the losses (steps, N) before each
        step, for L-BFGS their sum at the start and after each step, (steps + 1, 1).

    Raises:
        ParameterError: `steps` is less than one.
        CrosslensError: a parameter, a loss or a gradient is NaN or infinite; the message names the step.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ParameterError(f"steps is {steps!r}; it must be a whole number, at least 1")
    history: list[Array] = []

    def checked(x: Array, step: int) -> tuple[Array, Array]:
        _check_finite("parameters", x, step)
        losses, gradient = evaluate(x, step)
        _check_finite("loss", losses, step)
        _check_finite("gradient", gradient, step)
        return losses, gradient

    def report(done: int, losses: Array) -> None:
        history.append(losses)
        if done:
            progress(done, steps, describe(float(namespace(losses).sum(losses))))

    with threadpool_limits(limits=1, user_api="blas"):
        found = (optimiser or Adam()).minimise(checked, start, steps, report)
    return found, namespace(history[0]).stack(history)


def _check_finite(what: str, values: Array, step: int) -> None:
    xp = namespace(values)
    if not bool(xp.all(xp.isfinite(values))):
        raise CrosslensError(
            f"{what} not finite at step {step + 1}: take smaller steps (learning_rate), or smaller weights"
        )
