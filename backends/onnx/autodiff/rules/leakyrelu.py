"""LeakyRelu: y = x where x > 0, else alpha x, so dx = dy or alpha dy (alpha at the kink, as PyTorch has it)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("LeakyRelu", since=6)
def leakyrelu(g: Graph, node: Node, dy: str) -> Cotangents:
    """The slope is chosen by the sign of x."""
    (x,) = node.inputs
    return [g.op("Where", g.op("Greater", x, g.scalar(0, x)), dy, g.op("Mul", dy, g.scalar(node.attr("alpha"), x)))]
