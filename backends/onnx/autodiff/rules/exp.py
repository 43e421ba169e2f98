"""Exp: y = e^x, so dx = y dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Exp")
def exp(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    return [g.op("Mul", dy, node.outputs[0])]
