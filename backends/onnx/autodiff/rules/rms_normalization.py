"""RMSNormalization: y = s h with h = x / sqrt(mean(x^2) + epsilon) over the last axes.

With dh = s dy: dx = (dh - h mean(h dh)) / sqrt(mean(x^2) + epsilon). Zhang and Sennrich 2019,
https://arxiv.org/abs/1910.07467.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._moments import input_cotangent


@vjp("RMSNormalization", since=23, broadcasts=True)
def rms_normalization(g: Graph, node: Node, dy: str) -> Cotangents:
    """The scale broadcasts: its cotangent is summed back in the sweep."""
    x, scale = node.inputs
    rank = g.rank(x)
    axes = g.ints(range(node.attr("axis") % rank, rank))
    power = g.op("ReduceMean", g.op("Mul", x, x), axes, keepdims=1)
    inverse = g.op("Reciprocal", g.op("Sqrt", g.op("Add", power, g.scalar(node.attr("epsilon"), x))))
    h = g.op("Mul", x, inverse)
    dx = input_cotangent(g, g.op("Mul", dy, scale), h, inverse, axes, centred=False) if node.needs_gradient[0] else None
    return [dx, g.op("Mul", dy, h) if node.needs_gradient[1] else None]
