"""Neg: y = -x, so dx = -dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Neg")
def neg(g: Graph, node: Node, dy: str) -> Cotangents:
    """The negative."""
    return [g.op("Neg", dy)]
