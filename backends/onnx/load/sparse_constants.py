"""Constants of which a file keeps the numbers that are not zero, with their places, as arrays."""

from typing import Any

import numpy as np
from onnx import SparseTensorProto, numpy_helper

__all__ = ["dense"]


def dense(tensor: SparseTensorProto) -> np.ndarray[Any, Any]:
    """All numbers; places are counted through the whole tensor, (count,), or along each axis, (count, rank)."""
    values, places = numpy_helper.to_array(tensor.values), numpy_helper.to_array(tensor.indices)
    made = np.zeros(tuple(tensor.dims), values.dtype)
    made[np.unravel_index(places, made.shape) if places.ndim == 1 else tuple(places.T)] = values
    return made
