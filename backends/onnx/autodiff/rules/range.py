"""Range: y = start + n step for n = 0, 1, ..., so dstart = sum(dy), dstep = sum(n dy); the limit only counts."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Range")
def range_(g: Graph, node: Node, dy: str) -> Cotangents:
    """n is a Range of integers, as long as y."""
    (y,) = node.outputs
    count = g.op("Squeeze", g.op("Shape", y))
    n = g.op("Range", g.const(0, "int64"), count, g.const(1, "int64"))
    weighted = g.op("Mul", dy, g.op("Cast", n, to=g.elem(y)))
    return [g.op("ReduceSum", dy, keepdims=0), None, g.op("ReduceSum", weighted, keepdims=0)]
