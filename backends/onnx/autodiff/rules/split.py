"""Split: the parts' cotangents are joined, zeros for a part that nothing used."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Split", since=13)
def split(g: Graph, node: Node, *dys: str | None) -> Cotangents:
    """One Concat."""
    parts = [g.zeros_like(y) if dy is None else dy for y, dy in zip(node.outputs, dys, strict=True)]
    return [g.op("Concat", *parts, axis=node.attr("axis"))]
