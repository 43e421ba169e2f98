"""LayerNormalization: y = s h + b with h = (x - mean) / deviation over the last axes.

With dh = s dy: dx = (dh - mean(dh) - h mean(h dh)) / deviation. Ba et al. 2016, https://arxiv.org/abs/1607.06450.
"""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("LayerNormalization", since=17)
def layer_normalization(g: Graph, node: Node, dy: str, *_others: str | None) -> Cotangents:
    """Mean and inverse deviation are the operator's own further outputs."""
    x, scale = node.inputs[:2]
    rank = g.rank(x)
    first = node.attr("axis") % rank
    axes = g.ints(range(first, rank))
    how = {"axis": node.attr("axis"), "epsilon": node.attr("epsilon")}
    _, mean, inverse = g.ops("LayerNormalization", 3, x, scale, **how)
    h = g.op("Mul", g.op("Sub", x, mean), inverse)
    dh = g.op("Mul", dy, scale)
    centred = g.op("Sub", dh, g.op("ReduceMean", dh, axes, keepdims=1))
    shared = g.op("Mul", h, g.op("ReduceMean", g.op("Mul", h, dh), axes, keepdims=1))
    dx = g.op("Mul", g.op("Sub", centred, shared), inverse)
    outer = g.ints(range(first))
    dscale = doffset = None
    if node.wants[1]:
        dscale = g.reshape_like(g.op("ReduceSum", g.op("Mul", dy, h), outer), scale)
    if len(node.wants) > 2 and node.wants[2]:
        doffset = g.reshape_like(g.op("ReduceSum", dy, outer), node.inputs[2])
    return [dx, dscale, doffset][: len(node.inputs)]
