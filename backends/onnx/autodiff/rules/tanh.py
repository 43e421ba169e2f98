"""Tanh: dx = (1 - y^2) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Tanh")
def tanh(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    (y,) = node.outputs
    return [g.op("Mul", dy, g.op("Sub", g.scalar(1, y), g.op("Mul", y, y)))]
