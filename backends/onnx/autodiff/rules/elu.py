"""Elu: y = x where x > 0, else alpha (e^x - 1), so dx = dy, or (y + alpha) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Elu", since=6)
def elu(g: Graph, node: Node, dy: str) -> Cotangents:
    """From input and output."""
    (x,), (y,) = node.inputs, node.outputs
    slope = g.op("Add", y, g.scalar(node.attr("alpha"), y))
    return [g.op("Where", g.op("Greater", x, g.scalar(0, x)), dy, g.op("Mul", dy, slope))]
