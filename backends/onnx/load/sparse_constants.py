"""Sparse constants (the values that are not zero and their indices) as dense arrays."""

from math import prod
from typing import Any

import numpy as np
from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from onnx import SparseTensorProto

from ..ir.tensor_values import array_of

__all__ = ["dense"]


def dense(tensor: SparseTensorProto) -> np.ndarray[Any, Any]:
    """The dense array; indices are flat, (count,), or one per axis, (count, rank).

    Raises:
        ModelError: an index is outside the dims, or there are not as many indices as values.
        MemoryLimitError: the dense array would not fit into memory.
    """
    values, places, dims = array_of(tensor.values), array_of(tensor.indices), tuple(tensor.dims)
    if any(size < 0 for size in dims):
        raise ModelError(f"a sparse constant has the dims {dims}: a size cannot be negative")
    called = f"the sparse constant {tensor.values.name[:80]!r} of dims {dims}"
    check_memory(values.dtype.itemsize * prod(dims), called, "export it with smaller dims")
    made = np.zeros(dims, values.dtype)
    try:
        made[np.unravel_index(places, made.shape) if places.ndim == 1 else tuple(places.T)] = values
    except (IndexError, ValueError, TypeError) as error:
        raise ModelError(f"{called} has indices that do not fit: {error}; export the network again") from error
    return made
