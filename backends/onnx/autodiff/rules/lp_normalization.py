"""LpNormalization: y = x / |x|_p along an axis, p = 1 or 2; 0 where the norm is 0, with gradient 0.

dx = (dy - d|x| sum(y dy)) / |x|_p, where d|x| = sign(x) for p = 1 and y for p = 2.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("LpNormalization")
def lp_normalization(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output and the norm."""
    x, (y,) = node.inputs[0], node.outputs
    axis, p = g.ints([node.attr("axis")]), node.attr("p")
    length = g.op("ReduceL1" if p == 1 else "ReduceL2", x, axis, keepdims=1)
    zero = g.scalar(0, x)
    inverse = g.op("Where", g.op("Equal", length, zero), zero, g.op("Reciprocal", length))
    slope = g.op("Sign", x) if p == 1 else y
    shared = g.op("Mul", slope, g.op("ReduceSum", g.op("Mul", y, dy), axis, keepdims=1))
    return [g.op("Mul", g.op("Sub", dy, shared), inverse)]
