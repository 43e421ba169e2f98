"""Sparse constants (the values that are not zero and their indices) as dense arrays."""

from typing import Any

import numpy as np
from onnx import SparseTensorProto, numpy_helper

__all__ = ["dense"]


def dense(tensor: SparseTensorProto) -> np.ndarray[Any, Any]:
    """The dense array; indices are flat, (count,), or one per axis, (count, rank)."""
    values, places = numpy_helper.to_array(tensor.values), numpy_helper.to_array(tensor.indices)
    made = np.zeros(tuple(tensor.dims), values.dtype)
    made[np.unravel_index(places, made.shape) if places.ndim == 1 else tuple(places.T)] = values
    return made
