"""Adam (Kingma and Ba 2015, "Adam: a method for stochastic optimization", https://arxiv.org/abs/1412.6980)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..arrays import Array, namespace
from .base import Amend, Evaluate, Optimiser, Report, State, take_steps

__all__ = ["Adam"]


@dataclass(frozen=True)
class Adam(Optimiser):
    """Algorithm 1 of the paper, in the arrays' own namespace: torch tensors stay on their GPU.

    `bounds`, if given, are kept by projection: after each step parameters are clipped to (low, high), numbers or arrays
    of an item's shape.
    """

    learning_rate: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    bounds: tuple[Array, Array] | None = None
    moments: ClassVar = 2

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; always all steps."""
        state = start if start.moments else replace(self.start(start.parameters), step=start.step)
        return take_steps(self.after, evaluate, state, steps, report, amend)

    def start(self, parameters: Array) -> State:
        """The state before the first step."""
        zeros = namespace(parameters).zeros_like(parameters)
        return State(parameters, (zeros, zeros))

    def after(self, state: State, g: Array) -> State:
        """The state after one step with this gradient."""
        xp, (m, v), t = namespace(g), state.moments, state.step + 1
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * g * g
        rate = self.learning_rate / (1 - self.beta1**t)
        x = state.parameters - rate * m / (xp.sqrt(v / (1 - self.beta2**t)) + self.epsilon)
        return State(x if self.bounds is None else xp.clip(x, *self.bounds), (m, v), t)
