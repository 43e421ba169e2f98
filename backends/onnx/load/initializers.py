"""A file's model and its weights apart: the weights are read once, straight into arrays, past protobuf.

Protobuf holds a network of half a gigabyte three times at the door: the file as one string, the message parsed from it,
and the arrays made from the message. Here it parses the message without its large `raw_data`, whose places in the file
are found by walking the wire format (https://protobuf.dev/programming-guides/encoding/).
"""

from math import prod
from mmap import ACCESS_READ, mmap
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, external_data_helper, helper, numpy_helper

from ..ir.graph import SMALL
from .protobuf_wire import Field, encode_field, fields

__all__ = ["Weights", "read_apart", "together"]

Weights = dict[str, np.ndarray[Any, Any]]
Place = tuple[int, int] | None
"""Where a tensor's bytes begin and end in the file; None where they stay in the message."""
_GRAPH = ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW = TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
_PLAIN = frozenset(
    {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8}
    | {TensorProto.INT32, TensorProto.INT64}
)
"""Element types that lie in a file as they lie in an array."""
_TAKEN = "#taken"
"""The location of weights that were taken out; onnx's checker looks for no file whose name begins so."""


def read_apart(path: Path) -> tuple[ModelProto, Weights]:
    """A file's model without its large weights, and these by name.

    Raises:
        DecodeError: the file is no ONNX model, or it is cut off.
        ValueError, OSError, onnx.checker.ValidationError: weights in a file beside it cannot be read.
    """
    places: list[Place] = []
    weights: Weights = {}
    with path.open("rb") as file:
        if not file.seek(0, SEEK_END):
            return ModelProto(), weights
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            model = ModelProto.FromString(_model(data, places))
        for tensor, place in zip(model.graph.initializer, places, strict=True):
            if place:
                _take(tensor, file, *place, weights)
            elif external_data_helper.uses_external_data(tensor):
                _take_from_beside(tensor, str(path.parent), weights)
    external_data_helper.load_external_data_for_model(model, str(path.parent))
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=_TAKEN)
    return model, weights


def together(model: ModelProto, weights: Weights) -> ModelProto:
    """The model with its weights inside again."""
    whole = ModelProto()
    whole.CopyFrom(model)
    for tensor in whole.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return whole


def _take(tensor: TensorProto, file: BinaryIO, start: int, stop: int, weights: Weights) -> None:
    """Read a tensor's bytes: into an array, or back into the message where they are no plain array's."""
    file.seek(start)
    if _is_plain(tensor, stop - start):
        values = np.fromfile(file, _dtype(tensor).newbyteorder("<"), prod(tensor.dims))
        weights[tensor.name] = values.reshape(tensor.dims)
    else:
        tensor.raw_data = file.read(stop - start)


def _take_from_beside(tensor: TensorProto, folder: str, weights: Weights) -> None:
    """Read a tensor that lies in another file, alone: what it is read through is given back at once."""
    alone = TensorProto()
    alone.CopyFrom(tensor)
    external_data_helper.load_external_data_for_tensor(alone, folder)
    if _is_plain(tensor, len(alone.raw_data)):
        weights[tensor.name] = numpy_helper.to_array(alone)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
    else:
        tensor.CopyFrom(alone)


def _is_plain(tensor: TensorProto, nbytes: int) -> bool:
    return tensor.data_type in _PLAIN and nbytes == _dtype(tensor).itemsize * prod(tensor.dims)


def _dtype(tensor: TensorProto) -> np.dtype[Any]:
    dtype: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return dtype


def _model(data: mmap, places: list[Place]) -> bytes:
    """The bytes of a model without large `raw_data` of its initialisers; where these lie is appended to `places`."""
    return b"".join(
        encode_field(_GRAPH, _graph(data, field, places)) if field.number == _GRAPH else data[field.start : field.end]
        for field in fields(data, 0, len(data))
    )


def _graph(data: mmap, graph: "Field", places: list[Place]) -> bytes:
    parts = []
    for field in fields(data, graph.content, graph.end):
        if field.number == _INITIALIZER:
            tensor, place = _tensor(data, field)
            parts.append(encode_field(_INITIALIZER, tensor))
            places.append(place)
        else:
            parts.append(data[field.start : field.end])
    return b"".join(parts)


def _tensor(data: mmap, tensor: "Field") -> tuple[bytes, Place]:
    parts: list[bytes] = []
    place: Place = None
    for field in fields(data, tensor.content, tensor.end):
        if field.number == _RAW and field.end - field.content > SMALL:
            place = field.content, field.end
        else:
            parts.append(data[field.start : field.end])
    return b"".join(parts), place
