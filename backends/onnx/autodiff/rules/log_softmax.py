"""LogSoftmax: dx = dy - e^y sum(dy), the sum along the axis."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("LogSoftmax", since=13)
def log_softmax(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the output."""
    total = g.op("ReduceSum", dy, g.ints([node.attr("axis")]), keepdims=1)
    return [g.op("Sub", dy, g.op("Mul", g.op("Exp", node.outputs[0]), total))]
