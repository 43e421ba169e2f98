"""The state of a training in one .npz file, without pickle: written whole or not at all, checked when it is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..errors import ParameterError
from ..execution.whole_file import whole_file
from ..synthesis.checkpoint import check_same

__all__ = ["TrainingState", "load_state", "save_state"]

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
    with whole_file(path, ParameterError) as temporary:
        temporary.write_bytes(content.getvalue())


def load_state(path: str | Path, start: TrainingState, record: Mapping[str, Any]) -> TrainingState:
    """A state to go on from.

    Args:
        path: the file.
        start: the state before the first step, whose shapes it must have.
        record: the settings and digests that it must have.

    Raises:
        ParameterError: no such file, no state in it, or it is another training: the message says in what.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            earlier = json.loads(str(stored["record"]))
            arrays = {name: stored[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
        raise ParameterError(
            f"cannot go on from '{path}': {_reason(error)}; give the state of an earlier training"
        ) from error
    check_same("training", path, earlier, record)
    shapes = {name: getattr(start, name).shape for name in _ARRAYS if name != "losses"}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ParameterError(f"cannot go on from '{path}': {name} in it are damaged")
    return TrainingState(**arrays)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"it holds no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
