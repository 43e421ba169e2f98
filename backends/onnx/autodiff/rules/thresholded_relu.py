"""ThresholdedRelu: y = x where x > alpha, else 0, so dx = dy where x > alpha, else 0 (0 at the jump)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("ThresholdedRelu")
def thresholded_relu(g: Graph, node: Node, dy: str) -> Cotangents:
    """The jump itself has no derivative and is left out."""
    (x,) = node.inputs
    return [g.op("Where", g.op("Greater", x, g.scalar(node.attr("alpha"), x)), dy, g.scalar(0, x))]
