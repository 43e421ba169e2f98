"""Softmax: dx = y (dy - sum(y dy)), the sum along the axis."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Softmax", since=13)
def softmax(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output. Rows that are masked altogether are NaN; where a Where replaces those, their dx is 0."""
    (y,) = node.outputs
    if _replaced(g, y):
        y = g.op("Where", g.op("IsNaN", y), g.scalar(0, y), y)
    weighted = g.op("Mul", dy, y)
    total = g.op("ReduceSum", weighted, g.ints([node.attr("axis")]), keepdims=1)
    return [g.op("Sub", weighted, g.op("Mul", y, total))]


def _replaced(g: Graph, y: str) -> bool:
    same = [y]
    for tensor in same:
        for node in g.readers(tensor):
            if node.op == "Where":
                return True
            if node.op in {"Cast", "CastLike", "Identity"}:
                same += node.outputs
    return False
