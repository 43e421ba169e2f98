"""Clip: y = min(max(x, low), high), so dx = dy where low < y < high, else 0 (0 at both bounds, as ReLU6 has it).

Bounds that are computed get the rest: high where y reaches it, low elsewhere.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._masks import between


@vjp("Clip", since=11)
def clip(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output, so that the forward Conv and Clip stay fused."""
    (y,) = node.outputs
    low, high = (g.value(node.inputs[p]) if node.has(p) else None for p in (1, 2))
    if low is not None and not low.any() and (high is not None or not node.has(2)):
        return [g.op("Mul", dy, between(g, y, 0.0, None if high is None else float(high)))]
    cotangents: list[str | None] = [None] * len(node.inputs)
    for position, compare in ((2, "Less"), (1, "Greater")):
        if node.has(position):
            inside = g.op(compare, y, node.inputs[position])
            if node.needs_gradient[position]:
                outside = g.op("Where", inside, g.scalar(0, y), dy)
                cotangents[position] = g.op("ReduceSum", outside, keepdims=0)
            dy = g.op("Mul", dy, g.op("Cast", inside, to=g.elem(y)))
    return [dy, *cotangents[1:]]
