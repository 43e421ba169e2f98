"""Trilu: a triangle of x is kept, so the same triangle of dy is."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Trilu", since=14)
def trilu(g: Graph, node: Node, dy: str) -> Cotangents:
    """Upper or lower, the same diagonal."""
    diagonal = node.inputs[1] if node.has(1) else None
    return [g.op("Trilu", dy, diagonal, upper=node.attr("upper"))]
