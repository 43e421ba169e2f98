"""GroupNormalization: y = s h + b with h = (x - mean) / deviation over each group of channels and its positions.

With dh = s dy: dx = (dh - mean(dh) - h mean(h dh)) / deviation. Wu and He 2018, https://arxiv.org/abs/1803.08494.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._moments import input_cotangent, standardise


@vjp("GroupNormalization", since=18)
def group_normalization(g: Graph, node: Node, dy: str) -> Cotangents:
    """Scale and offset are per group in opset 18 to 20, per channel from 21 on."""
    x, scale, _ = node.inputs
    groups, channels = node.attr("num_groups"), g.sizes(x, [1])[0]
    per = groups if node.version < 21 else channels
    apart, by_scale = g.ints([0, groups, -1]), g.ints([0, per, -1])
    last = g.ints([2])
    h, inverse = standardise(g, g.op("Reshape", x, apart), last, node.attr("epsilon"))
    rows = g.op("Reshape", dy, by_scale)
    dh = g.op("Reshape", g.op("Mul", rows, g.op("Reshape", scale, g.ints([per, 1]))), apart)
    dx = g.reshape_like(input_cotangent(g, dh, h, inverse, last), x) if node.needs_gradient[0] else None
    outer = g.ints([0, 2])
    dscale = doffset = None
    if node.needs_gradient[1]:
        dscale = g.op("ReduceSum", g.op("Mul", rows, g.op("Reshape", h, by_scale)), outer, keepdims=0)
    if node.needs_gradient[2]:
        doffset = g.op("ReduceSum", rows, outer, keepdims=0)
    return [dx, dscale, doffset]
