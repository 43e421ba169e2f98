"""The contract of an optimiser: from gradients to better parameters, in arrays of any framework."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..arrays import Array

__all__ = ["Amend", "Evaluate", "Optimiser", "Report", "State"]

Evaluate: TypeAlias = Callable[[Array, int], tuple[Array, Array]]
"""(parameters, step, from 0) to (losses (N,), gradient of their sum, shaped as the parameters)."""
Amend: TypeAlias = Callable[[Array, int], Array]
"""(parameters, steps done) to the parameters to go on from: for regularisers that are not gradients, such as a blur."""


@dataclass(frozen=True)
class State:
    """All that an optimiser needs after a step to continue, bit by bit as if it had never stopped."""

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
        """Minimise a loss.

        Args:
            evaluate: losses (N,) and the gradient at the parameters.
            start: the state to start from.
            steps: in all, those of `start` included.
            report: told the state after each step.
            amend: changes the parameters after each step; None for no change.

        Returns:
            Parameters after `steps` steps, or fewer where no step can lower the loss any more.

        Raises:
            ParameterError: it cannot have its parameters amended.
        """
