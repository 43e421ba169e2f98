"""Replaces onnxruntime's own fused operators by standard ones when a file is loaded.

A model saved by onnxruntime (`SessionOptions.optimized_model_filepath`) or by its transformers optimizer has operators
of the domain com.microsoft. onnx cannot infer shapes behind them, and methods do not see a Relu inside one of them. The
package `contrib` has their definitions, one operator per file; every file in it is imported. Source:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeAlias

from crosslens.errors import ModelError
from onnx import ModelProto, NodeProto, defs, helper

from ..ir.graph import Graph, Node
from ..ir.module_names import origin_of
from ..shapes.inference import infer
from .blocked_layout import unblock

__all__ = ["DOMAIN", "UnknownTypeError", "expand_fused_operators", "expands", "first_typed", "with_contrib_domains"]

DOMAIN = "com.microsoft"
_INTERNAL = "com.ms.internal.nhwc"
"""Operators on the memory layout of one execution provider."""

_HIDING = frozenset({"Attention", "QLinearConv", "QLinearMatMul"})
"""Standard operators that are expanded too: attention weights are a layer then, quantised products have gradients."""

Definition: TypeAlias = Callable[[Graph, Node], Sequence[str | None] | None]
_DEFINITIONS: dict[str, Definition] = {}


class UnknownTypeError(Exception):
    """A rank or an element type is not known yet: the operators upstream must be expanded first."""


def expands(*operators: str) -> Callable[[Definition], Definition]:
    """Register a function that appends standard nodes in place of one of these operators.

    It returns one tensor for each of the node's outputs, or None to leave the node as it is: then it runs forward, and
    is named among the operators without a derivative rule. It may raise `UnknownTypeError` to be called again later.
    """

    def register(definition: Definition) -> Definition:
        _DEFINITIONS.update(dict.fromkeys(operators, definition))
        return definition

    return register


def first_typed(graph: Graph, *tensors: str) -> str:
    """The first of these tensors whose element type is known.

    Raises:
        UnknownTypeError: none is.
    """
    for name in tensors:
        if name in graph.constants or name in graph.types:
            return name
    raise UnknownTypeError(f"the element types of {tensors} are not known")


@cache
def _definitions() -> dict[str, Definition]:
    package = import_module(f"{__package__}.contrib")
    for info in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{info.name}")
    return _DEFINITIONS


def with_contrib_domains(model: ModelProto) -> ModelProto:
    """The model with onnxruntime's domain on nodes that the standard does not define at the model's opset.

    onnxruntime writes LayerNormalization into files of opset 13, where onnx does not define it and calls the file
    invalid. It also runs networks that do not import its domain, as its transformers optimizer makes them in memory.
    """
    opset = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), 0)
    undefined = [i for i, node in enumerate(model.graph.node) if opset and _is_undefined(node, opset)]
    uses_domain = any(node.domain == DOMAIN for node in model.graph.node)
    if not undefined and (not uses_domain or any(o.domain == DOMAIN for o in model.opset_import)):
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    for position in undefined:
        copy.graph.node[position].domain = DOMAIN
    if all(o.domain != DOMAIN for o in copy.opset_import):
        copy.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return copy


def _is_undefined(node: NodeProto, opset: int) -> bool:
    if node.domain not in {"", "ai.onnx"} or node.op_type not in _definitions():
        return False
    return not defs.has(node.op_type, opset, "")


def expand_fused_operators(graph: Graph) -> None:
    """Replace, in place, every operator that `contrib` defines by standard ones; tensors keep their names.

    Raises:
        ModelError: the file was saved for one execution provider.
    """
    _refuse_internal(graph)
    unblock(graph)
    node_names = {node.name for node in graph.nodes}
    while any(_definition(node) for node in graph.nodes):
        infer(graph)
        before = sum(_definition(node) is not None for node in graph.nodes)
        nodes, graph.nodes = graph.nodes, []
        for node in nodes:
            _expand(graph, node, node_names)
        if sum(_definition(node) is not None for node in graph.nodes) == before:
            return


def _refuse_internal(graph: Graph) -> None:
    internal = sorted({node.op for node in graph.nodes if node.domain == _INTERNAL})
    if internal:
        raise ModelError(
            f"the network was saved by onnxruntime for one execution provider ({', '.join(internal)} of {_INTERNAL}): "
            "save it at ORT_ENABLE_EXTENDED instead, or take the file that it was made from"
        )


def _definition(node: Node) -> Definition | None:
    ours = node.domain == DOMAIN or (not node.domain and node.op in _HIDING)
    return _definitions().get(node.op) if ours else None


def _expand(graph: Graph, node: Node, node_names: set[str]) -> None:
    start, definition = len(graph.nodes), _definition(node)
    try:
        tensors = None if definition is None else definition(graph, node)
    except UnknownTypeError:
        tensors = None
    if tensors is None:
        graph.nodes[start:] = [node]
        return
    names = {old: new for old, new in zip(tensors, node.outputs, strict=False) if old and new}
    graph.types |= {new: graph.types[old] for old, new in names.items() if old in graph.types}
    graph.nodes[start:] = _with_file_names(graph, node, graph.nodes[start:], names, node_names)


def _with_file_names(
    graph: Graph, node: Node, parts: Sequence[Node], tensors: Mapping[str, str], node_names: set[str]
) -> list[Node]:
    """The new nodes with the file's own tensor names; `node_names` are the node names in use.

    The part that the operator is named after keeps the node's name (the Conv of a FusedConv); another one that computes
    a tensor of the file is named after that tensor, since exporters name tensors after nodes.
    """
    last = next(part for part in parts if any(tensors.get(o) == node.outputs[0] for o in part.outputs))
    head = next((part for part in parts if node.op.endswith(part.op)), last)
    names = dict(tensors)
    for part in parts:
        names |= {o: graph.unique_name(f"{node.outputs[0]}/{part.op}") for o in part.outputs if o not in names}
    return [_rename(node, part, names, node_names, part is head) for part in parts]


def _rename(node: Node, part: Node, names: Mapping[str, str], node_names: set[str], is_head: bool) -> Node:
    inputs, outputs = (tuple(names.get(i, i) for i in of) for of in (part.inputs, part.outputs))
    name, around = f"{node.name}/{part.op}" * bool(node.name), node.origin
    for tensor in set(outputs).intersection(node.outputs):
        name, around = tensor, origin_of(NodeProto(name=tensor))
    if is_head:
        name, around = node.name, node.origin
    else:
        name = _unique_node_name(name, node_names)
    return replace(part, inputs=inputs, outputs=outputs, origin=around, name=name)


def _unique_node_name(wish: str, node_names: set[str]) -> str:
    name, count = wish, 1
    while name and name in node_names:
        name, count = f"{wish}_{count}", count + 1
    node_names.add(name)
    return name
