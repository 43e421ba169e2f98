"""Clip: y = min(max(x, low), high), so dx = dy where low < y < high, else 0 (0 at both bounds, as ReLU6 has it)."""

from ..graph import Graph, Node
from ..masks import between
from ..registry import Cotangents, vjp


@vjp("Clip", since=11)
def clip(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output, so that the forward Conv and Clip stay fused."""
    (y,) = node.outputs
    low, high = (g.value(node.inputs[p]) if node.has(p) else None for p in (1, 2))
    if low is not None and not low.any() and (high is not None or not node.has(2)):
        return [g.op("Mul", dy, between(g, y, 0.0, None if high is None else float(high)))]
    for position, compare in ((1, "Greater"), (2, "Less")):
        if node.has(position):
            dy = g.op("Mul", dy, g.op("Cast", g.op(compare, y, node.inputs[position]), to=g.elem(y)))
    return [dy]
