"""Abs: y = |x|, so dx = sign(x) dy (0 at 0)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Abs")
def abs_(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent with the sign of x."""
    return [g.op("Mul", dy, g.op("Sign", node.inputs[0]))]
