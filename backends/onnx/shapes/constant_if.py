"""Replaces an If with a constant condition by the nodes of the branch that is taken."""

from onnx import GraphProto

from ..ir.graph import Graph, Node
from ..ir.subgraph import add_constants, copy_subgraph

__all__ = ["inline_known_branches"]


def inline_known_branches(graph: Graph) -> bool:
    """Replace, in place and by one level, every If whose condition is a constant.

    Returns:
        Whether there was one.
    """
    taken = {node: branch for node in graph.nodes if (branch := _taken_branch(graph, node)) is not None}
    if taken:
        node_names = {node.name for node in graph.nodes}
        nodes = [_written_out(graph, n, taken[n], node_names) if n in taken else [n] for n in graph.nodes]
        graph.nodes = [part for parts in nodes for part in parts]
    return bool(taken)


def _taken_branch(graph: Graph, node: Node) -> GraphProto | None:
    condition = graph.value(node.inputs[0]) if node.op == "If" and not node.domain else None
    if condition is None:
        return None
    return node.attributes["then_branch" if condition.all() else "else_branch"].g


def _written_out(graph: Graph, node: Node, branch: GraphProto, node_names: set[str]) -> list[Node]:
    """The branch's nodes: tensors that it computes get new unique names, tensors that it reads keep theirs."""
    prefix = node.name or node.outputs[0]
    made = {o for proto in branch.node for o in proto.output if o}
    results = [o.name for o in branch.output]
    names = {
        o: outer for o, outer in zip(reversed(results), reversed(node.outputs), strict=True) if outer and o in made
    }
    names |= add_constants(graph, branch, prefix)
    parts = copy_subgraph(graph, branch, names, prefix, node_names)
    pairs = [(names.get(o, o), outer) for o, outer in zip(results, node.outputs, strict=True)]
    pairs = [(inner, outer) for inner, outer in pairs if inner != outer and outer]
    return parts + [graph.node("Identity", inner, outputs=[outer]) for inner, outer in pairs]
