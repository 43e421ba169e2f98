"""The values of a TensorProto, or of a sparse one, as an array, or in one line why it has none."""

from math import prod
from typing import Any

import numpy as np
from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from onnx import SparseTensorProto, TensorProto, external_data_helper, helper, numpy_helper

__all__ = ["array_of", "byte_count", "dense", "known_type"]

_TYPES = frozenset(helper.get_all_tensor_dtypes()) - {TensorProto.UNDEFINED}
_BITS = {
    **dict.fromkeys((TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1), 4),
    **{number: 2 for name, number in TensorProto.DataType.items() if name in {"INT2", "UINT2"}},
}
"""Bits of element types of which several share a byte."""


def known_type(elem: int) -> str | None:
    """The name of an element type, in small letters; None if ONNX has no such type."""
    return TensorProto.DataType.Name(elem).lower() if elem in _TYPES else None


def byte_count(tensor: TensorProto) -> int:
    """Bytes of a tensor's `raw_data`, by its type and dims.

    Raises:
        ModelError: the type is unknown, or a size is negative.
    """
    _check(tensor)
    bits = _BITS.get(tensor.data_type, 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    return int(-(-bits * prod(tensor.dims) // 8))


def array_of(tensor: TensorProto) -> np.ndarray[Any, Any]:
    """The values of a tensor that holds them itself.

    Raises:
        ModelError: the type is unknown, a size is negative, or values and dims do not belong together.
    """
    _check(tensor)
    if external_data_helper.uses_external_data(tensor):
        raise ModelError(
            f"{_called(tensor)} has its values in a file beside the model, which a ModelProto in memory does not know: "
            "give the path of the .onnx file"
        )
    try:
        values: np.ndarray[Any, Any] = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(
            f"the values of {_called(tensor)} do not fill its dims {_dims(tensor)}: {error}; export the network again"
        ) from error
    return values


def dense(tensor: SparseTensorProto) -> np.ndarray[Any, Any]:
    """A sparse tensor as a dense array; indices are flat, (count,), or one per axis, (count, rank).

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


def _check(tensor: TensorProto) -> None:
    if known_type(tensor.data_type) is None:
        raise ModelError(f"{_called(tensor)} has the element type {tensor.data_type}, which ONNX does not know")
    if any(size < 0 for size in tensor.dims):
        raise ModelError(f"{_called(tensor)} has the dims {_dims(tensor)}: a size cannot be negative")


def _called(tensor: TensorProto) -> str:
    return f"the constant {tensor.name[:80]!r}" if tensor.name else "a constant"


def _dims(tensor: TensorProto) -> list[int | str]:
    few: list[int | str] = list(tensor.dims[:8])
    return few if len(tensor.dims) <= 8 else [*few, "..."]
