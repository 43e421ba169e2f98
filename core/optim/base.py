"""The contract of an optimiser: from gradients to better parameters, where the arrays live; and Adam."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..arrays import Array, namespace

__all__ = ["Adam", "Amend", "Evaluate", "Optimiser", "Report", "State"]

Evaluate: TypeAlias = Callable[[Array, int], tuple[Array, Array]]
"""(parameters, step, from 0) to (losses (N,), gradient of their sum, shaped as the parameters)."""
Amend: TypeAlias = Callable[[Array, int], Array]
"""(parameters, steps done) to the parameters to go on from: a rule that is no gradient, such as a blur now and then."""


@dataclass(frozen=True)
class State:
    """Where an optimiser stands after a step; all that it needs to go on, bit by bit as if it had never stopped."""

    parameters: Array
    moments: tuple[Array, ...] = ()
    """What it remembers, each shaped as the parameters: Adam's two moments, or the pairs of L-BFGS."""
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
            ParameterError: it cannot have its parameters amended.
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
