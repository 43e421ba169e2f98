"""Reciprocal: y = 1 / x, so dx = -y^2 dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Reciprocal")
def reciprocal(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    (y,) = node.outputs
    return [g.op("Neg", g.op("Mul", dy, g.op("Mul", y, y)))]
