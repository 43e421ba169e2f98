"""Removal of the nodes, constants and inputs that the outputs of a graph do not need."""

from .graph import Graph

__all__ = ["prune"]


def prune(graph: Graph) -> None:
    """Remove, in place, every node, constant and input that the outputs do not need."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if any(o in needed for o in node.outputs):
            kept.append(node)
            needed.update(node.reads)
    graph.nodes = kept[::-1]
    graph.constants = {name: value for name, value in graph.constants.items() if name in needed}
    graph.inputs = {name: kind for name, kind in graph.inputs.items() if name in needed}
