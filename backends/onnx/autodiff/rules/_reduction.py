"""Axes of reductions, and cotangents in the shape of the input, for the rules of all Reduce operators."""

from ...ir.graph import DynamicShapeError, Graph, Node

__all__ = ["axes_of", "expand_to_input", "with_reduced_axes"]


def axes_of(g: Graph, node: Node) -> list[int]:
    """The reduced axes, none negative: all axes if the node names none, or no axis if it says so."""
    rank = g.rank(node.inputs[0])
    if not node.has(1):
        return [] if node.attr("noop_with_empty_axes", 0) else list(range(rank))
    value = g.value(node.inputs[1])
    if value is None:
        raise DynamicShapeError(f"{node.name!r} reduces axes that are computed")
    if not value.size and not node.attr("noop_with_empty_axes", 0):
        return list(range(rank))
    return sorted(int(a) % rank for a in value)


def with_reduced_axes(g: Graph, node: Node, tensor: str) -> str:
    """The output, or its cotangent, with the reduced axes as axes of size 1."""
    axes = axes_of(g, node)
    return tensor if node.attr("keepdims", 1) or not axes else g.op("Unsqueeze", tensor, g.ints(axes))


def expand_to_input(g: Graph, node: Node, dy: str) -> str:
    """A cotangent of the output repeated to the shape of the input."""
    return g.op("Expand", with_reduced_axes(g, node, dy), g.shape_of(node.inputs[0]))
