"""The contract of an optimiser: from gradients to better parameters, in arrays of any framework."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from ..arrays import Array

__all__ = ["Amend", "Evaluate", "Optimiser", "Report", "State", "take_steps"]

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

    moments: ClassVar[int | None] = None
    """How many arrays it remembers after a step, each shaped as the parameters; None where that differs."""

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


def take_steps(
    after: Callable[[State, Array], State],
    evaluate: Evaluate,
    state: State,
    steps: int,
    report: Report,
    amend: Amend | None = None,
) -> Array:
    """All steps of an optimiser whose each step needs the gradient at the last state alone.

    Args:
        after: the state after one step, from the state and the gradient there.
        evaluate, state, steps, report, amend: as for `Optimiser.minimise`, `state` being where it starts.
    """
    while state.step < steps:
        losses, gradient = evaluate(state.parameters, state.step)
        state = after(state, gradient)
        if amend is not None:
            state = replace(state, parameters=amend(state.parameters, state.step))
        report(state, losses)
    return state.parameters
