"""HardSigmoid: y = max(0, min(1, alpha x + beta)), so dx = alpha dy where 0 < y < 1, else 0."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._masks import between


@vjp("HardSigmoid", since=6)
def hardsigmoid(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output."""
    (y,) = node.outputs
    slope = g.op("Mul", dy, g.scalar(node.attr("alpha"), y))
    return [g.op("Mul", slope, between(g, y, 0.0, 1.0))]
