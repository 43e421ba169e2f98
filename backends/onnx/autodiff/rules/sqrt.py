"""Sqrt: y = x^(1/2), so dx = dy / (2 y)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Sqrt")
def sqrt(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output; infinite at 0."""
    (y,) = node.outputs
    return [g.op("Div", dy, g.op("Add", y, y))]
