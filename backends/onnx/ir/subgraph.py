"""Subgraphs of If, Loop and Scan: copies of their nodes, renamed, for the graph around them."""

from collections.abc import Mapping

from onnx import AttributeProto, GraphProto, NodeProto

from .graph import Graph, Node, node_of
from .module_names import module_scopes

__all__ = ["copy_subgraph", "rename_in_subgraphs"]


def copy_subgraph(graph: Graph, body: GraphProto, names: dict[str, str], around: str, called: set[str]) -> list[Node]:
    """Copies of a subgraph's nodes, renamed so that they can be appended to the graph around it.

    Args:
        graph: the graph around it.
        body: the subgraph; its own constants are left to the caller.
        names: new names of tensors of the body; new names of all other tensors that it computes are added.
        around: prefix of new names.
        called: names of nodes that are in use; those of the copies are added.
    """
    for own in (o for proto in body.node for o in proto.output if o):
        if own not in names:
            names[own] = graph.unique_name(f"{around}:{own}")
    parts = []
    for proto in body.node:
        renamed = _renamed(proto, names)
        if proto.name and proto.name in called:
            renamed.name = f"{around}:{proto.name}"
        called.add(renamed.name)
        parts.append(node_of(renamed, graph.opsets, module_scopes(proto)))
    return parts


def _renamed(proto: NodeProto, names: Mapping[str, str]) -> NodeProto:
    made = NodeProto()
    made.CopyFrom(proto)
    made.input[:] = [names.get(i, i) for i in proto.input]
    made.output[:] = [names.get(o, o) for o in proto.output]
    rename_in_subgraphs(made, names)
    return made


def rename_in_subgraphs(node: NodeProto, names: Mapping[str, str]) -> None:
    """Rename, in place, the tensors outside that a node's subgraphs read; their own tensors keep their names."""
    for inner in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
        own = (
            {t.name for t in inner.initializer}
            | {i.name for i in inner.input}
            | {o for n in inner.node for o in n.output}
        )
        outer = {old: new for old, new in names.items() if old not in own}
        for below in inner.node:
            below.input[:] = [outer.get(i, i) for i in below.input]
            rename_in_subgraphs(below, outer)
        for output in inner.output:
            output.name = outer.get(output.name, output.name)
