"""Softmax: dx = y (dy - sum(y dy)), the sum along the axis."""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Softmax", since=13)
def softmax(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    (y,) = node.outputs
    weighted = g.op("Mul", dy, y)
    total = g.op("ReduceSum", weighted, g.ints([node.attr("axis")]), keepdims=1)
    return [g.op("Sub", weighted, g.op("Mul", y, total))]
