"""Selu: y = gamma x where x > 0, else gamma alpha (e^x - 1), so dx = gamma dy, or (y + gamma alpha) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Selu", since=6)
def selu(g: Graph, node: Node, dy: str) -> Cotangents:
    """From input and output."""
    (x,), (y,) = node.inputs, node.outputs
    alpha, gamma = node.attr("alpha"), node.attr("gamma")
    slope = g.op("Add", y, g.scalar(alpha * gamma, y))
    up = g.op("Greater", x, g.scalar(0, x))
    return [g.op("Mul", dy, g.op("Where", up, g.scalar(gamma, y), slope))]
