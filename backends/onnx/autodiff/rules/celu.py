"""Celu: y = x where x > 0, else a (e^(x/a) - 1), so dx = dy, or (y / a + 1) dy.

Barron 2017, https://arxiv.org/abs/1704.07483.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Celu")
def celu(g: Graph, node: Node, dy: str) -> Cotangents:
    """From input and output."""
    (x,), (y,) = node.inputs, node.outputs
    slope = g.op("Add", g.op("Div", y, g.scalar(node.attr("alpha"), y)), g.scalar(1, y))
    return [g.op("Where", g.op("Greater", x, g.scalar(0, x)), dy, g.op("Mul", dy, slope))]
