"""Replaces an If whose condition depends on the image, for gradients: both branches are computed, Where selects one.

y = Where(c, then, else), where `then` reads Where(c, x, 0) for each float x from outside and `else` Where(c, 0, x), so
that infinite values and slopes of the branch that is not taken do not reach x.
"""

from onnx import GraphProto

from ..ir.graph import Graph, Node
from ..ir.subgraph import add_constants, copy_subgraph
from ..shapes.constant_folding import fold

__all__ = ["both_branches"]


def both_branches(graph: Graph, node: Node) -> list[Node] | None:
    """The nodes that replace an If; None for another operator, or if the branches have different output shapes."""
    if node.op != "If" or node.domain:
        return None
    trial = graph.copy()
    trial.nodes = []
    condition = trial.op("Reshape", node.inputs[0], trial.ints([]))
    node_names = {other.name for other in graph.nodes}
    results = [_branch(trial, node, condition, branch, node_names) for branch in ("then_branch", "else_branch")]
    pairs = list(zip(*results, strict=True))
    chosen = zip(pairs, node.outputs, strict=True)
    trial.nodes += [trial.node("Where", condition, *pair, outputs=[y]) for pair, y in chosen if y]
    parts, constants = list(trial.nodes), dict(trial.constants)
    trial.nodes = [part for other in graph.nodes for part in (parts if other is node else [other])]
    fold(trial)
    if any(_shape(trial, a) is None or _shape(trial, a) != _shape(trial, b) for a, b in pairs):
        return None
    graph.constants |= constants
    graph.taken |= trial.taken
    return parts


def _branch(graph: Graph, node: Node, condition: str, which: str, node_names: set[str]) -> list[str]:
    """Append the nodes of one branch and return its outputs."""
    branch: GraphProto = node.attributes[which].g
    prefix = f"{node.name or node.outputs[0]}/{which}"
    names = add_constants(graph, branch, prefix)
    for name in dict.fromkeys(node.reads[1:]):
        if name in graph.types and graph.types[name].is_float and name not in graph.constants:
            pair = (name, graph.scalar(0, name))
            names[name] = graph.op("Where", condition, *(pair if which == "then_branch" else pair[::-1]))
    graph.nodes += copy_subgraph(graph, branch, names, prefix, node_names)
    return [names.get(o.name, o.name) for o in branch.output]


def _shape(graph: Graph, name: str) -> tuple[int | str, ...] | None:
    if name in graph.constants:
        return tuple(graph.constants[name].shape)
    return graph.types[name].dims if name in graph.types else None
