"""Reads the large initialisers of an ONNX file straight into arrays; protobuf parses only the rest of the file.

Protobuf alone would keep a network three times in memory: the file as one string, the parsed message, and the arrays
made from the message. Here the message is parsed without its large `raw_data`, which is located in the file by its wire
format (see `protobuf_wire`).
"""

from math import prod
from mmap import ACCESS_READ, mmap
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, external_data_helper, helper, numpy_helper

from ..ir.graph import INLINE_BYTES
from ..ir.subgraph import tensors_of
from .external_data import load_external_data
from .message_size import refuse_many_messages
from .protobuf_wire import Field, encode_field, fields

__all__ = ["Weights", "read_model_and_weights", "with_weights_inside"]

Weights = dict[str, np.ndarray[Any, Any]]
ByteRange = tuple[int, int] | None
"""Where a tensor's `raw_data` starts and ends in the file; None if it is parsed with the message."""
_GRAPH = ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW = TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
_PLAIN = frozenset(
    {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8}
    | {TensorProto.INT32, TensorProto.INT64}
)
"""Element types that have the same bytes in a file and in an array."""
_TAKEN = "#taken"
"""The location of weights outside the message; onnx's checker does not look for files of such a name."""


def read_model_and_weights(path: Path) -> tuple[ModelProto, Weights]:
    """A file's model without its large weights, and these weights by name.

    Raises:
        DecodeError: the file is not an ONNX model, or it is truncated.
        ModelError, MemoryLimitError: it has more parts than crosslens reads, or than there is memory for.
        ValueError, OSError, onnx.checker.ValidationError: weights in a file beside it cannot be read.
    """
    ranges: list[ByteRange] = []
    weights: Weights = {}
    with path.open("rb") as file:
        if not file.seek(0, SEEK_END):
            return ModelProto(), weights
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            content = _model(data, ranges)
            refuse_many_messages(content)
            model = ModelProto.FromString(content)
        for tensor, byte_range in zip(model.graph.initializer, ranges, strict=True):
            if byte_range:
                _read_tensor(tensor, file, *byte_range, weights)
            elif external_data_helper.uses_external_data(tensor):
                _read_external_tensor(tensor, str(path.parent), weights)
    for tensor in tensors_of(model):
        if external_data_helper.uses_external_data(tensor):
            load_external_data(tensor, str(path.parent))
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=_TAKEN)
    return model, weights


def with_weights_inside(model: ModelProto, weights: Weights) -> ModelProto:
    """A copy of the model that contains its large weights."""
    whole = ModelProto()
    whole.CopyFrom(model)
    for tensor in whole.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return whole


def _read_tensor(tensor: TensorProto, file: BinaryIO, start: int, stop: int, weights: Weights) -> None:
    """Read a tensor's bytes into an array, or into the message if the element type has other bytes in an array."""
    file.seek(start)
    if _is_plain(tensor, stop - start):
        values = np.fromfile(file, _dtype(tensor).newbyteorder("<"), prod(tensor.dims))
        weights[tensor.name] = values.reshape(tensor.dims)
    else:
        tensor.raw_data = file.read(stop - start)


def _read_external_tensor(tensor: TensorProto, folder: str, weights: Weights) -> None:
    """Read a tensor from its file of external data, one tensor at a time to save memory."""
    alone = TensorProto()
    alone.CopyFrom(tensor)
    load_external_data(alone, folder)
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


def _model(data: mmap, ranges: list[ByteRange]) -> bytes:
    """The bytes of a model without large `raw_data` of initialisers, whose byte ranges are appended to `ranges`."""
    return b"".join(
        encode_field(_GRAPH, _graph(data, field, ranges)) if field.number == _GRAPH else data[field.start : field.end]
        for field in fields(data, 0, len(data))
    )


def _graph(data: mmap, graph: "Field", ranges: list[ByteRange]) -> bytes:
    parts = []
    for field in fields(data, graph.content, graph.end):
        if field.number == _INITIALIZER:
            tensor, byte_range = _tensor(data, field)
            parts.append(encode_field(_INITIALIZER, tensor))
            ranges.append(byte_range)
        else:
            parts.append(data[field.start : field.end])
    return b"".join(parts)


def _tensor(data: mmap, tensor: "Field") -> tuple[bytes, ByteRange]:
    parts: list[bytes] = []
    byte_range: ByteRange = None
    for field in fields(data, tensor.content, tensor.end):
        if field.number == _RAW and field.end - field.content > INLINE_BYTES:
            byte_range = field.content, field.end
        else:
            parts.append(data[field.start : field.end])
    return b"".join(parts), byte_range
