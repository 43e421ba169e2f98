"""The loop of a search for pictures of classes: generation after generation, resumed, with snapshots, interrupted."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array
from ..errors import ParameterError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress
from ..optim.base import State
from ..optim.loop import Run
from ..synthesis.checkpoint import GIVE, Checkpoint
from ..synthesis.state_file import refuse_state
from .confidence import Confidence

__all__ = ["Search", "run_search"]

Snapshots: TypeAlias = dict[int, Array]
Values: TypeAlias = np.ndarray[Any, Any]


class Search(ABC):
    """What makes the best picture of each of K classes better."""

    confidence: Confidence
    classes: Values
    """(K,), integers: the class of each picture."""
    goal: float
    """The confidence at which a class is done."""
    stuck: tuple[int, ...] = ()
    """Classes for whose pictures there was no gradient in the last step."""
    picture_shape: tuple[int, int, int]
    """(C, H, W)."""

    @abstractmethod
    def start(self) -> State:
        """The state before the first generation."""

    @abstractmethod
    def advance(self, state: State) -> State:
        """The state after one more generation."""

    @abstractmethod
    def pictures(self, state: State) -> Array:
        """The best picture of each class, (K, C, H, W), in [0, 1], float32."""

    @abstractmethod
    def reached(self, state: State) -> Values:
        """(K,), float64: the confidence of each class in its best picture so far; -1 for none yet."""

    @abstractmethod
    def made(self, state: State) -> Values:
        """(K,), integers: the generation that made that picture, from 1."""

    def done(self, state: State) -> bool:
        """Whether all classes have reached the goal."""
        return bool((self.reached(state) >= self.goal).all())


@stop_on_signals()
def run_search(
    search: Search,
    steps: int,
    every: int | None,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    keep: Callable[[Run, Snapshots], None] | None = None,
) -> tuple[Run, dict[int, Array]]:
    """Search until all classes are done, or all generations are.

    Args:
        search: what is run.
        steps: generations, those of an earlier run included.
        every: keep the pictures after each so many generations; None for none.
        progress: told after each generation.
        checkpoint: an earlier run to go on from.
        keep: told the run so far, and its snapshots, after each `every` generations.

    Returns:
        The run, whose history is the confidence of each class after each generation, (generations, K), and the
        snapshots (K, C, H, W) by generation.

    Raises:
        ParameterError: the earlier run has taken all generations, or all its classes are done.
        KeyboardInterrupt: interrupted before a generation was done.
    """
    state, history = search.start(), []
    if checkpoint is not None and checkpoint.runs:
        (saved, past), *_ = checkpoint.runs
        _check_state(saved, past, state, search.reached(state).shape, checkpoint.path)
        state, history = _of_types(saved, state), list(past)
        _refuse_finished(search, state, steps)
    snapshots: dict[int, Array] = {}
    interrupted = False
    try:
        while state.step < steps and not search.done(state):
            state = search.advance(state)
            history.append(search.reached(state))
            if every and state.step % every == 0:
                snapshots[state.step] = search.pictures(state)
                if keep is not None:
                    keep(Run(state.parameters, np.stack(history), state, interrupted=True), snapshots)
            progress(state.step, steps, _said(search.reached(state), search.goal))
    except KeyboardInterrupt:
        if not state.step:
            raise
        interrupted = True
        history = [*history, search.reached(state)][: state.step]
    return Run(state.parameters, np.stack(history), state, interrupted=interrupted), snapshots


def _check_state(saved: State, past: Array, start: State, each: tuple[int, ...], path: str | Path) -> None:
    """Refuse a saved state that is not one of this search.

    Args:
        saved: what is gone on from.
        past: its history, (generations, *each).
        start: the state before the first generation.
        each: the shape of what a generation adds to the history.
        path: the file.

    Raises:
        ParameterError: with the shapes.
    """
    has, wanted = ([each.shape for each in (one.parameters, *one.moments)] for one in (saved, start))
    if has != wanted or past.shape[1:] != each:
        refuse_state(path, f"its arrays have the shapes {has}, and this search's have {wanted}", GIVE)


def _of_types(saved: State, start: State) -> State:
    """A saved state with arrays of the types that the search works with."""
    moments = (m.astype(like.dtype) for m, like in zip(saved.moments, start.moments, strict=True))
    return State(saved.parameters.astype(start.parameters.dtype), tuple(moments), saved.step)


def _said(confidence: Values, goal: float) -> str:
    return f"median confidence {np.median(confidence):.4f}, {int((confidence >= goal).sum())} of {len(confidence)} done"


def _refuse_finished(search: Search, state: State, steps: int) -> None:
    if state.step >= steps:
        raise ParameterError(f"steps is {steps}, and the run to go on from has taken {state.step}; ask for more")
    if search.done(state):
        raise ParameterError(
            f"every class of the run to go on from has reached confidence {search.goal:g}; ask for a higher one"
        )
