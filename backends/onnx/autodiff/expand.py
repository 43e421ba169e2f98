"""Replaces operators without a derivative rule by others: by ONNX's definition, unrolled, or both branches of If."""

from collections.abc import Container, Iterable
from dataclasses import replace

from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto, defs, helper

from ..ir.graph import Graph, Node, Type, node_of
from ..ir.subgraph import rename_in_subgraphs
from ..shapes.constant_folding import fold
from .data_dependent_if import both_branches
from .recurrent import recurrent_steps
from .registry import rule_for

__all__ = ["expand"]


def expand(graph: Graph, path: Iterable[Node], also: Container[str] = ()) -> bool:
    """Expand, in place and by one level, every node of `path` that has no rule but can be written by other operators.

    Args:
        graph: the forward pass.
        path: nodes of it.
        also: operators to expand although they have a rule.

    Returns:
        Whether there was one.
    """
    missing = [node for node in path if rule_for(node) is None or (node.op in also and not node.domain)]
    written = {node: parts for node in missing if (parts := _parts(graph, node)) is not None}
    if written:
        graph.nodes = [part for node in graph.nodes for part in written.get(node, [node])]
        known = graph.types
        fold(graph)
        graph.types |= {name: kind for name, kind in known.items() if _says_more(kind, graph.types.get(name))}
    return bool(written)


def _says_more(before: Type, now: Type | None) -> bool:
    """Whether a type from before, which may have been measured, says more than inference now."""
    return now is None or (before.static and not now.static)


def _parts(graph: Graph, node: Node) -> list[Node] | None:
    """Other nodes that compute the same; None if there are none."""
    body = _body(graph, node)
    if body is not None:
        return _written_out(graph, node, body)
    return recurrent_steps(graph, node) or both_branches(graph, node)


def _body(graph: Graph, node: Node) -> FunctionProto | None:
    if not defs.has(node.op, node.domain):
        return None
    schema = defs.get_schema(node.op, node.version, node.domain)
    if schema.has_function:
        versions = [v for v in schema.function_opset_versions if v <= node.version] or schema.function_opset_versions
        content = schema.get_function_with_opset_version(max(versions))
    elif schema.has_context_dependent_function:
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= node.version]
        types = [_type(graph, i) for i in node.inputs]
        content = schema.get_context_dependent_function_with_opset_version(
            max(versions), node.proto().SerializeToString(), types
        )
    else:
        return None
    body = FunctionProto()
    body.ParseFromString(content)
    return body


def _type(graph: Graph, name: str) -> bytes:
    if not name:
        return TypeProto().SerializeToString()  # type: ignore[no-any-return]
    kind = graph.types[name]
    return helper.make_tensor_type_proto(kind.elem, kind.dims).SerializeToString()  # type: ignore[no-any-return]


def _written_out(graph: Graph, node: Node, body: FunctionProto) -> list[Node]:
    names = dict(zip(body.input, (*node.inputs, *[""] * len(body.input)), strict=False))
    names |= dict(zip(body.output, node.outputs, strict=False))
    parts = []
    for proto in body.node:
        for name in proto.output:
            if name and name not in names:
                names[name] = graph.unique_name(f"{node.outputs[0]}:{name}")
        copy = NodeProto()
        copy.CopyFrom(proto)
        rename_in_subgraphs(copy, names)
        inner = node_of(copy, graph.opsets)
        given = {a.name: _attribute(node, a.ref_attr_name, a.name) for a in proto.attribute if a.ref_attr_name}
        attributes = {key: given.get(key, value) for key, value in inner.attributes.items()}
        parts.append(replace(
            inner, inputs=tuple(names.get(i, "") for i in inner.inputs), outputs=tuple(names[o] for o in inner.outputs),
            attributes={key: value for key, value in attributes.items() if value is not None}, origin=node.origin,
            name=node.name if names[inner.outputs[0]] == node.outputs[0] else inner.name,
        ))  # fmt: skip
    return parts


def _attribute(node: Node, name: str, called: str) -> AttributeProto | None:
    """An attribute of the node under the name `called` that the body uses; None if the node has none."""
    value = node.attr(name)
    return None if value is None else helper.make_attribute(called, value)
