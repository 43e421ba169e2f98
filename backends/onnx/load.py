"""From a file or a ModelProto to a `Graph` in one dialect, or to one line that says what is wrong with it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from crosslens.errors import ModelError
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, ModelProto, checker, inliner, numpy_helper, shape_inference, version_converter

from .graph import Graph, Node, Type, node_of
from .infer import infer, type_of
from .names import scopes
from .opset import TARGET, raise_opset
from .rewrite import homed, rewrite

__all__ = ["graph_of", "read"]


def read(network: str | Path | ModelProto) -> ModelProto:
    """A checked model with its external data.

    Raises:
        ModelError: the file is no ONNX model, is cut off, breaks the standard, or misses its external data.
    """
    if isinstance(network, ModelProto):
        return _checked(network, network, "the ModelProto")
    try:
        model = onnx.load(str(network))
    except DecodeError as error:
        raise ModelError(
            f"'{network}' is no ONNX file, or it is cut off: {_line(error)}. Download or export it again"
        ) from error
    except (FileNotFoundError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"'{network}' keeps weights in a file beside it that cannot be read: {_line(error)}"
        ) from error
    return _checked(model, str(network), f"'{network}'")


def _checked(model: ModelProto, what: ModelProto | str, called: str) -> ModelProto:
    if not model.graph.node:
        raise ModelError(f"{called} holds no ONNX graph: it is empty or not an ONNX model")
    at_home = homed(model)
    if at_home is not model:
        model = what = at_home
    if any(not o.type.tensor_type.HasField("shape") for o in model.graph.output):
        model = what = _with_output_shapes(model)
    try:
        checker.check_model(what)
    except checker.ValidationError as error:
        raise ModelError(f"{called} is not a valid ONNX model: {_line(error)}") from error
    return model


def _with_output_shapes(model: ModelProto) -> ModelProto:
    """onnxruntime runs networks whose outputs have no shape written down; onnx's checker wants one, right or not."""
    model = shape_inference.infer_shapes(model)
    for output in model.graph.output:
        output.type.tensor_type.shape.SetInParent()
    return model


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def graph_of(model: ModelProto) -> Graph:
    """The model's graph: functions inlined, fused operators written out, constants as arrays, opset 18 or newer."""
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = _raised_by_onnx(model)
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    inputs = {i.name: type_of(i.type, i.name) for i in model.graph.input if i.name not in constants}
    nodes = []
    for proto in model.graph.node:
        node = node_of(proto, opsets, scopes(proto))
        value = _constant(node)
        if value is None:
            nodes.append(node)
        else:
            constants[node.outputs[0]] = value
    outputs = {o.name: Type(type_of(o.type, o.name).elem) for o in model.graph.output}
    graph = Graph(nodes, constants, inputs, list(outputs), opsets, outputs)
    if opsets.get("", TARGET) < TARGET:
        infer(graph)
        raise_opset(graph)
    rewrite(graph)
    _refuse_training(graph)
    return graph


def _refuse_training(graph: Graph) -> None:
    for node in graph.nodes:
        flag = graph.value(node.inputs[2]) if node.op == "Dropout" and node.has(2) else None
        if (flag is not None and flag.any()) or (node.op == "BatchNormalization" and node.attr("training_mode", 0)):
            raise ModelError(
                f"the network was exported in training mode: {node.op} {node.name or node.outputs[0]!r} is random or "
                "depends on the batch. Call eval() on it before exporting"
            )


def _raised_by_onnx(model: ModelProto) -> ModelProto:
    """Graphs of old opsets with control flow go through ONNX's own converter: `raise_opset` knows no subgraphs."""
    old = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), TARGET)
    nested = any(a.type == AttributeProto.GRAPH for node in model.graph.node for a in node.attribute)
    return version_converter.convert_version(model, TARGET) if nested and old < TARGET else model


def _constant(node: Node) -> Any:
    if node.op != "Constant" or node.domain:
        return None
    (name, attribute), *_ = node.attributes.items()
    if name == "value":
        return numpy_helper.to_array(attribute.t)
    return np.asarray(_LITERALS[name](node.attr(name))) if name in _LITERALS else None


_LITERALS: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": lambda v: np.array(v, np.float32),
    "value_int": np.int64,
    "value_ints": lambda v: np.array(v, np.int64),
}
