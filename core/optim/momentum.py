"""Gradient descent with momentum, for what must come out alike where gradients agree to rounding only."""

from dataclasses import dataclass
from typing import ClassVar

from ..arrays import Array, namespace
from .base import Amend, Evaluate, Optimiser, Report, State, take_steps

__all__ = ["Momentum"]


@dataclass(frozen=True)
class Momentum(Optimiser):
    """Steps along a running mean of the gradients: v = b v + (1 - b) g, x = x - rate v, kept within `bounds`.

    Adam divides each gradient by its own size, so that a gradient that is all rounding moves its parameter as far as
    any other; here it moves it by next to nothing.
    """

    rate: float
    decay: float = 0.9
    bounds: tuple[float, float] = (0.0, 1.0)
    moments: ClassVar = 1

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; always all steps."""
        return take_steps(self._after, evaluate, start, steps, report, amend)

    def _after(self, state: State, gradient: Array) -> State:
        mean = self.decay * state.moments[0] + (1 - self.decay) * gradient if state.moments else gradient
        x = namespace(mean).clip(state.parameters - self.rate * mean, *self.bounds)
        return State(x, (mean,), state.step + 1)
