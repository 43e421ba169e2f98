"""InstanceNormalization: y = s h + b with h = (x - mean) / deviation over each channel's positions.

With dh = s dy: dx = (dh - mean(dh) - h mean(h dh)) / deviation. Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("InstanceNormalization", since=6)
def instance_normalization(g: Graph, node: Node, dy: str) -> Cotangents:
    """h is the operator itself with scale 1 and offset 0; scale and offset get theirs."""
    x, scale, _ = node.inputs
    rank = g.rank(x)
    axes = g.ints(range(2, rank))
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
    spread = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
    inverse = g.op("Reciprocal", g.op("Sqrt", g.op("Add", spread, g.scalar(node.attr("epsilon"), x))))
    h = g.op("Mul", centred, inverse)
    dh = g.op("Mul", dy, g.op("Reshape", scale, g.ints([-1, *(1,) * (rank - 2)])))
    flat = g.op("Sub", dh, g.op("ReduceMean", dh, axes, keepdims=1))
    shared = g.op("Mul", h, g.op("ReduceMean", g.op("Mul", h, dh), axes, keepdims=1))
    dx = g.op("Mul", g.op("Sub", flat, shared), inverse)
    outer = g.ints([0, *range(2, rank)])
    dscale = g.op("ReduceSum", g.op("Mul", dy, h), outer, keepdims=0) if node.needs_gradient[1] else None
    return [dx, dscale, g.op("ReduceSum", dy, outer, keepdims=0) if node.needs_gradient[2] else None]
