"""The state of a training in one .npz file, without pickle: written whole or not at all, checked when it is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..files.whole_file import write_bytes
from ..synthesis.checkpoint import check_same
from ..synthesis.state_file import check_numbers, read_state, refuse_state

__all__ = ["TrainingState", "load_state", "save_state"]

_GIVE = "the state of an earlier training"
_ARRAYS = ("parameters", "statistics", "first", "second", "average", "losses")


@dataclass(frozen=True)
class TrainingState:
    """All that the next step needs: nothing else changes from step to step."""

    parameters: np.ndarray[Any, Any]
    """(P,), float32."""
    statistics: np.ndarray[Any, Any]
    """Running statistics of batch normalisation, (S,)."""
    first: np.ndarray[Any, Any]
    """Adam's first moment, (P,)."""
    second: np.ndarray[Any, Any]
    """Adam's second moment, (P,)."""
    average: np.ndarray[Any, Any]
    """The mean of the parameters of the last steps, (P,): those of the network that is saved."""
    losses: np.ndarray[Any, Any]
    """(steps, 3), float64: the weighted content, style and total variation before each step, means of the batch."""

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)


def save_state(state: TrainingState, record: Mapping[str, Any], path: str | Path) -> None:
    """Write a state; what stood at the path before is unchanged if that fails.

    Raises:
        ParameterError: the file cannot be written.
    """
    content = BytesIO()
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    np.savez(content, record=np.asarray(json.dumps(record)), **arrays)
    write_bytes(path, content.getvalue(), ParameterError)


def load_state(path: str | Path, start: TrainingState, record: Mapping[str, Any]) -> TrainingState:
    """A state to go on from.

    Args:
        path: the file.
        start: the state before the first step, whose shapes it must have.
        record: the settings and digests that it must have.

    Raises:
        ParameterError: no such file, no state in it, or it is another training: the message says in what.
    """
    earlier, stored = read_state(path, _GIVE)
    if missing := [name for name in _ARRAYS if name not in stored]:
        refuse_state(path, f"it holds no {missing[0]}", _GIVE)
    arrays = {name: stored[name] for name in _ARRAYS}
    check_same("training", path, earlier, record)
    for name, values in arrays.items():
        check_numbers(path, name, values, _GIVE)
    if arrays["losses"].shape[1:] != start.losses.shape[1:] or arrays["losses"].dtype != np.float64:
        refuse_state(path, f"losses in it have the shape {arrays['losses'].shape}", _GIVE)
    shapes = {name: getattr(start, name).shape for name in _ARRAYS if name != "losses"}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != getattr(start, name).dtype:
            refuse_state(path, f"{name} in it have the shape {arrays[name].shape}, not {shape}", _GIVE)
    return TrainingState(**arrays)
