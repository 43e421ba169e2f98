"""PRelu: y = x where x > 0, else s x with a slope s that broadcasts, so dx = dy or s dy, ds = 0 or x dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("PRelu", since=7, broadcasts=True)
def prelu(g: Graph, node: Node, dy: str) -> Cotangents:
    """The side is chosen by the sign of x; the slope's at the kink, as PyTorch has it."""
    x, slope = node.inputs
    up = g.op("Greater", x, g.scalar(0, x))
    dx = g.op("Where", up, dy, g.op("Mul", dy, slope))
    return [dx, g.op("Where", up, g.scalar(0, x), g.op("Mul", dy, x)) if node.needs_gradient[1] else None]
