"""Softplus: y = ln(1 + e^x), so dx = sigmoid(x) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Softplus")
def softplus(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the input."""
    return [g.op("Mul", dy, g.op("Sigmoid", node.inputs[0]))]
