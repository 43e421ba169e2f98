"""States of statistics in a file: an `.npz` without pickle, the same bytes for the same states."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.source import Failure
from ..data.statistic import State
from ..errors import ParameterError
from ..files.whole_file import whole_file
from ..reading.array_file import read_npz
from ..reading.text_file import parse_json

__all__ = ["StoredStates", "read_states", "write_states"]

_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}
_BROKEN = (ValueError, KeyError, TypeError, AttributeError)


class StoredStates:
    """The states of a round's statistics over some shards, and how many of their images were read."""

    def __init__(self, states: Mapping[int, State], images: int = 0, failures: Sequence[Failure] = ()) -> None:
        """`states` by the statistic's place in the round."""
        self.states, self.images, self.failures = states, images, tuple(failures)


def write_states(path: Path, stored: StoredStates) -> None:
    """Write them whole or not at all: they are on the disk when this returns.

    Raises:
        ParameterError: the file cannot be written, or a state holds what is neither an array nor a number.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    kinds: dict[str, str] = {}
    for place, state in stored.states.items():
        for name, value in state.items():
            key = f"{place}.{name}"
            arrays[key] = np.asarray(value)
            kinds[key] = _kind(value, arrays[key], name)
    record = {
        "states": sorted(stored.states),
        "kinds": kinds,
        "images": stored.images,
        "failures": [[each.index, each.id, each.reason] for each in stored.failures],
    }
    with whole_file(path, ParameterError) as temporary, temporary.open("wb") as file:
        np.savez(file, record=np.array(json.dumps(record)), **arrays)  # type: ignore[arg-type]


def _kind(value: Any, array: np.ndarray[Any, Any], name: str) -> str:
    if array.dtype.hasobject:
        raise ParameterError(f"the state {name!r} of a statistic is {type(value).__name__}; give arrays and numbers")
    if isinstance(value, np.generic):
        return "scalar"
    return type(value).__name__ if type(value) in _PLAIN.values() else "array"


def read_states(path: Path) -> StoredStates:
    """What `write_states` wrote.

    Raises:
        ParameterError: the file is damaged.
    """
    try:
        file = read_npz(path)
        record = parse_json(str(file["record"]))
        states: dict[int, dict[str, Any]] = {place: {} for place in record["states"]}
        for key, kind in record["kinds"].items():
            place, _, name = key.partition(".")
            states[int(place)][name] = _restored(file[key], kind)
        failures = [Failure(*each) for each in record["failures"]]
        return StoredStates(states, record["images"], failures)
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise ParameterError(
            f"'{path}' is damaged ({reason}): begin anew with again=True, or name another folder"
        ) from error


def _restored(array: np.ndarray[Any, Any], kind: str) -> Any:
    if kind == "array":
        return array
    return array[()] if kind == "scalar" else _PLAIN[kind](array.item())
