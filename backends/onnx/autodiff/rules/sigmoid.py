"""Sigmoid: y = 1 / (1 + e^-x), so dx = y (1 - y) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Sigmoid")
def sigmoid(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    (y,) = node.outputs
    return [g.op("Mul", dy, g.op("Mul", y, g.op("Sub", g.scalar(1, y), y)))]
