"""Steps of a given mean length (Nguyen et al. 2016, "Synthesizing the preferred inputs for neurons in neural networks
via deep generator networks"; Nguyen et al. 2017, "Plug & play generative networks").
"""

from dataclasses import dataclass

from ..arrays import Array, namespace
from .base import Amend, Evaluate, Optimiser, Report, State, take_steps

__all__ = ["NormalisedSteps"]


@dataclass(frozen=True)
class NormalisedSteps(Optimiser):
    """x <- clip(x - rate_t g / mean |g|), the mean over one item's parameters; where g is 0 throughout, x stays.

    rate_t = rate + (last_rate - rate) t / steps, t from 0: the same rate throughout where `last_rate` is None. A state
    continues bit by bit where `steps` is the same.
    """

    rate: float = 1.0
    last_rate: float | None = None
    bounds: tuple[Array, Array] | None = None
    """Of each parameter: numbers, or arrays of an item's shape."""

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; always all steps."""
        return take_steps(lambda state, g: self.after(state, g, steps), evaluate, start, steps, report, amend)

    def after(self, state: State, g: Array, steps: int) -> State:
        """The state after one step of so many with this gradient."""
        xp, last = namespace(g), self.rate if self.last_rate is None else self.last_rate
        rate = self.rate + (last - self.rate) * state.step / steps
        mean = xp.mean(xp.abs(g), axis=tuple(range(1, g.ndim)), keepdims=True)
        length = rate / xp.where(mean > 0, mean, xp.ones_like(mean))
        x = state.parameters - length * g
        return State(x if self.bounds is None else xp.clip(x, *self.bounds), (), state.step + 1)
