"""If with a condition that is known: the branch that is taken is written into the graph in its place."""

from collections.abc import Mapping

from onnx import AttributeProto, GraphProto, NodeProto, numpy_helper

from ..ir.graph import Graph, Node, node_of
from ..ir.names import scopes

__all__ = ["copied", "inline_known_branches", "rename_inside"]


def inline_known_branches(graph: Graph) -> bool:
    """Replace, in place and by one level, every If whose condition is a constant.

    Returns:
        Whether there was one.
    """
    taken = {node: branch for node in graph.nodes if (branch := _taken(graph, node)) is not None}
    if taken:
        called = {node.name for node in graph.nodes}
        nodes = [_written_out(graph, n, taken[n], called) if n in taken else [n] for n in graph.nodes]
        graph.nodes = [part for parts in nodes for part in parts]
    return bool(taken)


def _taken(graph: Graph, node: Node) -> GraphProto | None:
    condition = graph.value(node.inputs[0]) if node.op == "If" and not node.domain else None
    if condition is None:
        return None
    return node.attributes["then_branch" if condition.all() else "else_branch"].g


def _written_out(graph: Graph, node: Node, branch: GraphProto, called: set[str]) -> list[Node]:
    """The branch's nodes; what it makes gets names that nothing else has, what it reads from outside keeps its own."""
    around = node.name or node.outputs[0]
    made = {o for proto in branch.node for o in proto.output if o}
    results = [o.name for o in branch.output]
    names = {
        o: outer for o, outer in zip(reversed(results), reversed(node.outputs), strict=True) if outer and o in made
    }
    names |= {t.name: graph.unique(f"{around}:{t.name}") for t in branch.initializer}
    graph.constants |= {names[t.name]: numpy_helper.to_array(t) for t in branch.initializer}
    parts = copied(graph, branch, names, around, called)
    copies = [(names.get(o, o), outer) for o, outer in zip(results, node.outputs, strict=True)]
    return parts + [graph.node("Identity", own, outputs=[outer]) for own, outer in copies if own != outer and outer]


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
