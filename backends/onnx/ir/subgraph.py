"""Subgraphs of If, Loop and Scan: copies of their nodes with other names, to be written into the graph around them."""

from collections.abc import Mapping

from onnx import AttributeProto, GraphProto, NodeProto

from .graph import Graph, Node, node_of
from .module_names import scopes

__all__ = ["copied", "rename_inside"]


def copied(graph: Graph, body: GraphProto, names: dict[str, str], around: str, called: set[str]) -> list[Node]:
    """Copies of a subgraph's nodes to stand outside of it.

    Args:
        body: its own constants are left to the caller.
        names: tensors of the body that are to have another name; those of all others that it makes are added.
        around: what new names begin with.
        called: names of nodes, each of which there is once; added to.
    """
    for own in (o for proto in body.node for o in proto.output if o):
        if own not in names:
            names[own] = graph.unique(f"{around}:{own}")
    parts = []
    for proto in body.node:
        renamed = _renamed(proto, names)
        if proto.name and proto.name in called:
            renamed.name = f"{around}:{proto.name}"
        called.add(renamed.name)
        parts.append(node_of(renamed, graph.opsets, scopes(proto)))
    return parts


def _renamed(proto: NodeProto, names: Mapping[str, str]) -> NodeProto:
    made = NodeProto()
    made.CopyFrom(proto)
    made.input[:] = [names.get(i, i) for i in proto.input]
    made.output[:] = [names.get(o, o) for o in proto.output]
    rename_inside(made, names)
    return made


def rename_inside(node: NodeProto, names: Mapping[str, str]) -> None:
    """What its subgraphs read from outside gets its new name, in place; what is their own stays."""
    for inner in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
        own = (
            {t.name for t in inner.initializer}
            | {i.name for i in inner.input}
            | {o for n in inner.node for o in n.output}
        )
        outer = {old: new for old, new in names.items() if old not in own}
        for below in inner.node:
            below.input[:] = [outer.get(i, i) for i in below.input]
            rename_inside(below, outer)
        for output in inner.output:
            output.name = outer.get(output.name, output.name)
