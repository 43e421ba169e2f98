"""A `Graph` as an ONNX model, large constants inside, as inputs, or as references to arrays in memory."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from .graph import INLINE_BYTES, Graph, Type

__all__ = ["external_constants", "external_name", "model_proto"]

_IR_VERSION = 10


def model_proto(
    graph: Graph, *, large_as_inputs: bool = False, external: bool = False, noted: Iterable[str] = ()
) -> ModelProto:
    """The graph as a model.

    Args:
        graph: the graph; constants up to `INLINE_BYTES` are always written into the model.
        large_as_inputs: write large constants as inputs, for shape inference.
        external: write large constants as external data, which `open_session` passes to onnxruntime.
        noted: tensors whose types are written into the model.
    """
    inputs = [_info(name, kind) for name, kind in graph.inputs.items()]
    tensors = []
    lent = external_constants(graph) if external else {}
    for name, value in graph.constants.items():
        if name in lent:
            tensors.append(_reference(name, value))
        elif value.nbytes <= INLINE_BYTES or not large_as_inputs:
            tensors.append(numpy_helper.from_array(value, name))
        else:
            inputs.append(_info(name, _type(value)))
    outputs = [_info(name, graph.types.get(name)) for name in graph.outputs]
    made = helper.make_graph(list(_protos(graph)), "crosslens", inputs, outputs, tensors)
    made.value_info.extend(_info(name, graph.types[name]) for name in noted)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _opsets(graph).items()]
    return helper.make_model(made, opset_imports=opsets, ir_version=_ir_version(graph))


def _protos(graph: Graph) -> Iterator[NodeProto]:
    """The nodes; of several with one name, which onnxruntime refuses, the first one keeps it."""
    taken = {""}
    for node in graph.nodes:
        proto = node.proto()
        if node.name in taken:
            proto.name = ""
        taken.add(node.name)
        yield proto


def _opsets(graph: Graph) -> dict[str, int]:
    return {**{node.domain: 1 for node in graph.nodes}, **graph.opsets}


def _ir_version(graph: Graph) -> int:
    needed = helper.find_min_ir_version_for([helper.make_opsetid("", graph.opsets.get("", 18))], ignore_unknown=True)
    return max(_IR_VERSION, int(needed))


def _type(value: np.ndarray[Any, Any]) -> Type:
    return Type(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def _info(name: str, kind: Type | None) -> ValueInfoProto:
    if kind is None or kind.elem == TensorProto.UNDEFINED:
        return ValueInfoProto(name=name)
    return helper.make_tensor_value_info(name, kind.elem, kind.dims)


def _reference(name: str, value: np.ndarray[Any, Any]) -> TensorProto:
    kind = _type(value)
    tensor = TensorProto(name=name, data_type=kind.elem, dims=value.shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=external_name(name))
    tensor.external_data.add(key="length", value=str(value.nbytes))
    return tensor


def external_name(name: str) -> str:
    """A valid file name for the external data of a constant."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def external_constants(graph: Graph) -> dict[str, np.ndarray[Any, Any]]:
    """The constants that onnxruntime reads from our arrays: large ones whose elements are stored as in a file."""
    return {n: v for n, v in graph.constants.items() if v.nbytes > INLINE_BYTES and v.dtype.kind in "biuf"}
