"""Softsign: y = x / (1 + |x|), so dx = (1 - |y|)^2 dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Softsign")
def softsign(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output: 1 / (1 + |x|) = 1 - |y|."""
    (y,) = node.outputs
    rest = g.op("Sub", g.scalar(1, y), g.op("Abs", y))
    return [g.op("Mul", dy, g.op("Mul", rest, rest))]
