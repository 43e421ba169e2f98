"""Whether two results hold the same: arrays entry by entry, of which the `==` of dataclasses would ask one truth."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..arrays import as_numpy

__all__ = ["equal"]


def equal(a: Any, b: Any) -> bool:
    """Whether two values of a field are the same; arrays of any library by their entries.

    NaN equals NaN, so that a result equals its copy.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if is_dataclass(a) and type(a) is type(b):
        return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a) if f.compare)
    if all(isinstance(each, int | float) or _is_array(each) for each in (a, b)):
        return _equal_arrays(_as_array(a), _as_array(b))
    return not (_is_array(a) or _is_array(b)) and bool(a == b)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _as_array(value: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value) if isinstance(value, int | float | np.generic) else as_numpy(value)


def _equal_arrays(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=all(each.dtype.kind in "fc" for each in (a, b))))
