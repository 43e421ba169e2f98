"""Loads a file or a ModelProto as a `Graph` of standard operators, or says in one line what is wrong with it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from crosslens.errors import ModelError
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, ModelProto, ValueInfoProto, checker, inliner, shape_inference, version_converter

from ..ir.graph import Graph, Node, Type, node_of
from ..ir.module_names import origin_of, without_folded
from ..ir.onnxruntime_errors import in_one_line
from ..ir.subgraph import subgraphs
from ..ir.tensor_values import array_of, dense
from ..shapes.inference import infer, type_of
from ..shapes.negative_sizes import hide_negative_sizes
from .einsum_equations import refuse_bad_equations
from .function_sizes import refuse_large_functions
from .fused_operators import expand_fused_operators, with_contrib_domains
from .initializers import Weights, read_model_and_weights, with_weights_inside
from .opset_upgrade import TARGET, upgrade_opset
from .reserved_names import without_reserved_names
from .topological_order import in_topological_order

__all__ = ["graph_of", "read_model", "refuse_training"]


def read_model(network: str | Path | ModelProto) -> tuple[ModelProto, Weights]:
    """The model, checked, and the large weights of a file by name, which are read into arrays of their own.

    Raises:
        ModelError: the file is not an ONNX model, is truncated, breaks the standard, or lacks its external data.
    """
    if isinstance(network, ModelProto):
        return without_reserved_names(_check(network, "the ModelProto"))[0], {}
    if not Path(network).is_file():
        raise ModelError(f"'{network}' is not an ordinary file: give the path of an .onnx file")
    try:
        model, weights = read_model_and_weights(Path(network))
    except DecodeError as error:
        raise ModelError(
            f"'{network}' is not an ONNX file, or it is truncated: {_line(error)}. Download or export it again"
        ) from error
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"'{network}' or its file of external weights cannot be read: {_line(error)}") from error
    model, renamed = without_reserved_names(_check(model, f"'{network}'"))
    return model, {renamed.get(name, name): value for name, value in weights.items()}


def _check(model: ModelProto, called: str) -> ModelProto:
    if not model.graph.node:
        raise ModelError(f"{called} has no ONNX graph: it is empty or not an ONNX model")
    if not model.graph.output:
        raise ModelError(f"{called} has no outputs: there is nothing to explain. Export it with the output it is for")
    _refuse_other_text(model)
    refuse_large_functions(model)
    refuse_bad_equations(model)
    model = in_topological_order(with_contrib_domains(model))
    try:
        if any(not o.type.tensor_type.HasField("shape") for o in model.graph.output):
            model = _with_output_shapes(model)
        checker.check_model(model)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ModelError(f"{called} is not a valid ONNX model: {_line(error)}") from error
    return model


def _refuse_other_text(model: ModelProto) -> None:
    """Refuse names that are not UTF-8: protobuf gives them as bytes."""
    for graph in subgraphs(model.graph):
        inside = (
            name for node in graph.node for name in (node.name, node.op_type, node.domain, *node.input, *node.output)
        )
        for name in (*inside, *(each.name for each in (*graph.input, *graph.output, *graph.initializer))):
            if isinstance(name, bytes):
                raise ModelError(f"the name {name[:80]!r} in the network is not UTF-8 text: export the network again")


def _with_output_shapes(model: ModelProto) -> ModelProto:
    """A model whose outputs have shapes: onnx's checker requires them (right or not), onnxruntime does not."""
    inferred, copy = ModelProto(), ModelProto()
    inferred.CopyFrom(inliner.inline_local_functions(model) if model.functions else model)
    hide_negative_sizes(inferred, [tensor.name for tensor in inferred.graph.initializer])
    outputs = {output.name: output for output in shape_inference.infer_shapes(inferred).graph.output}
    copy.CopyFrom(model)
    for output in copy.graph.output:
        output.CopyFrom(outputs[output.name])
        output.type.tensor_type.shape.SetInParent()
    return copy


def _line(error: Exception) -> str:
    """What is wrong, and the node that onnx's checker names below it."""
    wrong, _, context = str(error).strip().partition("==> Context")
    node = re.search(r"for node\. Name: (.*) OpType: (\w+)", context)
    return in_one_line(wrong) + (f" at {in_one_line(node[2], 80)} {in_one_line(node[1], 80)!r}" if node else "")


def graph_of(model: ModelProto, weights: Weights | None = None) -> Graph:
    """The model's graph: functions inlined, fused operators expanded, constants as arrays, opset 18 or newer.

    Args:
        model: the model, checked.
        weights: values of initialisers that the model itself does not contain, by name.
    """
    weights = weights or {}
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = _raised_by_onnx(model, weights)
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    constants = {t.name: weights[t.name] if t.name in weights else array_of(t) for t in model.graph.initializer}
    constants |= {t.values.name: dense(t) for t in model.graph.sparse_initializer}
    inputs = {i.name: _input_type(i) for i in model.graph.input if i.name not in constants}
    nodes = []
    origins = without_folded(map(origin_of, model.graph.node))
    for proto, origin in zip(model.graph.node, origins, strict=True):
        node = node_of(proto, opsets, origin)
        value = _constant(node)
        if value is None:
            nodes.append(node)
        else:
            constants[node.outputs[0]] = value
    outputs = {o.name: Type(type_of(o.type, o.name).elem) for o in model.graph.output}
    graph = Graph(nodes, constants, inputs, list(outputs), opsets, outputs)
    if opsets.get("", TARGET) < TARGET:
        infer(graph)
        upgrade_opset(graph)
    expand_fused_operators(graph)
    refuse_training(graph)
    return graph


def _input_type(given: ValueInfoProto) -> Type:
    kind = given.type.WhichOneof("value")
    if kind not in {None, "tensor_type"}:
        kind = kind.removesuffix("_type")
        raise ModelError(f"the input {given.name[:80]!r} is of the kind {kind}; crosslens explains tensors only")
    return type_of(given.type, given.name)


def refuse_training(graph: Graph) -> None:
    """Refuse a graph in training mode, with random dropout or normalisation by the batch's own statistics.

    Raises:
        ModelError: names the node.
    """
    for node in graph.nodes:
        flag = graph.value(node.inputs[2]) if node.op == "Dropout" and node.has(2) else None
        if (flag is not None and flag.any()) or (node.op == "BatchNormalization" and node.attr("training_mode", 0)):
            raise ModelError(
                f"the network was exported in training mode: {node.op} {node.name or node.outputs[0]!r} is random or "
                "depends on the batch. Call eval() on it before exporting"
            )


def _raised_by_onnx(model: ModelProto, weights: Weights) -> ModelProto:
    """Convert old opsets with control flow by ONNX's own converter: `upgrade_opset` does not enter subgraphs."""
    old = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), TARGET)
    nested = any(a.type == AttributeProto.GRAPH for node in model.graph.node for a in node.attribute)
    if old < _SCAN and any(node.op_type == "Scan" for node in model.graph.node):
        raise ModelError(
            f"the network has a Scan of opset {old}, which had a batch axis: export it at opset {_SCAN} on"
        )
    return (
        version_converter.convert_version(with_weights_inside(model, weights), TARGET)
        if nested and old < TARGET
        else model
    )


def _constant(node: Node) -> Any:
    if node.op != "Constant" or node.domain:
        return None
    if not node.attributes:
        raise ModelError(f"the Constant {(*node.outputs, '')[0]!r} has no value; export the network again")
    (name, attribute), *_ = node.attributes.items()
    if name == "value":
        return array_of(attribute.t)
    if name == "sparse_value":
        return dense(attribute.sparse_tensor)
    return np.asarray(_LITERALS[name](node.attr(name))) if name in _LITERALS else None


_SCAN = 9
"""The opset from which Scan has its present form."""
_LITERALS: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": lambda v: np.array(v, np.float32),
    "value_int": np.int64,
    "value_ints": lambda v: np.array(v, np.int64),
}
