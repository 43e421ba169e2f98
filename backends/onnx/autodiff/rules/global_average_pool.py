"""GlobalAveragePool: y is the mean over all positions, so dx = dy / positions everywhere."""

from math import prod

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("GlobalAveragePool")
def global_average_pool(g: Graph, node: Node, dy: str) -> Cotangents:
    """The same share for every position."""
    (x,) = node.inputs
    return [g.op("Expand", g.op("Mul", dy, g.scalar(1 / prod(g.sizes(x)), x)), g.shape_of(x))]
