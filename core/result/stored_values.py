"""Values of a result's fields as JSON and arrays, and back: what a saved `.npz` holds, without loss and without pickle.

JSON has no tuples, no arrays and no keys but text, so these are written as an object of one entry: {"tuple": [...]},
{"array": name of an array in the file}, {"scalar": the same, of one number of NumPy}, {"mapping": {...}} for keys that
are text, {"pairs": [[key, value], ...]} for others. Nothing that is read back can run code.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import ImageError

__all__ = ["Arrays", "plain", "restored", "stored"]

Arrays = dict[str, np.ndarray[Any, Any]]

RESERVED = frozenset({"record", "file", "allow_pickle"})
"""Names that an array in the file cannot have: the record's own, and parameters of `numpy.savez`."""


def stored(value: Any, name: str, arrays: Arrays, prefix: str | None = None) -> Any:
    """A value as JSON can hold it, its arrays put among `arrays`.

    Args:
        value: None, a number, text, an array, or tuples, lists and mappings of these.
        name: what an array is called in the file, if no other one has the name already.
        arrays: by name; grows.
        prefix: what the names of arrays inside it begin with, before an underscore; empty for their own name alone,
            and `name` if not given.

    Raises:
        ImageError: a value of another kind.
    """
    if isinstance(value, np.generic):
        return {"scalar": _add(np.asarray(value), name, arrays)}
    if hasattr(value, "__array_namespace__") or hasattr(value, "__dlpack__"):
        return {"array": _add(as_numpy(value), name, arrays)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    inside = name if prefix is None else prefix
    return _stored_items(value, name, lambda key, item: stored(item, f"{inside}_{key}" if inside else key, arrays))


def _stored_items(value: Any, name: str, within: Callable[[str, Any], Any]) -> Any:
    """A list, tuple or mapping; `within` stores what it has at an index or a key."""
    if isinstance(value, list | tuple):
        items = [within(str(n), item) for n, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if not isinstance(value, Mapping):
        raise ImageError(
            f"cannot save {name!r}, a {type(value).__name__}: a file holds numbers, text, arrays, and tuples, lists "
            "and mappings of these; the result's class can override `saved_fields` and `from_saved`"
        )
    if all(type(key) is str for key in value):
        return {"mapping": {key: within(key, item) for key, item in value.items()}}
    return {"pairs": [[within(str(key), key), within(str(key), item)] for key, item in value.items()]}


def _add(array: np.ndarray[Any, Any], name: str, arrays: Arrays) -> str:
    if array.dtype.hasobject:
        raise ImageError(f"cannot save {name!r}: it is an array of Python objects; make it one of numbers or of text")
    free, count = name, 1
    while free in arrays or free in RESERVED:
        count += 1
        free = f"{name}_{count}"
    arrays[free] = array
    return free


def restored(value: Any, arrays: Mapping[str, Any]) -> Any:
    """What `stored` was given.

    Raises:
        KeyError: an array that the file does not have.
        ValueError: an object of no known kind.
    """
    if isinstance(value, list):
        return [restored(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or (kind := next(iter(value))) not in _KINDS:
        raise ValueError(f"no value is written as an object of {', '.join(map(repr, value))}")
    return _KINDS[kind](value[kind], arrays)


_KINDS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "tuple": lambda items, arrays: tuple(restored(item, arrays) for item in items),
    "array": lambda name, arrays: arrays[name],
    "scalar": lambda name, arrays: arrays[name][()],
    "mapping": lambda items, arrays: {key: restored(item, arrays) for key, item in items.items()},
    "pairs": lambda pairs, arrays: {restored(key, arrays): restored(item, arrays) for key, item in pairs},
}


def plain(value: Any) -> Any:
    """What the readable part of a record says in place of what JSON cannot hold: numbers of NumPy, else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
