"""Clip: y = min(max(x, low), high), so dx = dy where low < y < high, else 0 (0 at both bounds, as ReLU6 has it)."""

from ..graph import BOOL, Graph, Node
from ..registry import Cotangents, vjp


@vjp("Clip", since=11)
def clip(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output; a low bound of 0 needs no comparison, as y is never below it."""
    (y,) = node.outputs
    inside = []
    if node.has(1):
        low = node.inputs[1]
        value = g.value(low)
        zero = value is not None and not value.any()
        inside.append(g.op("Cast", y, to=BOOL) if zero else g.op("Greater", y, low))
    if node.has(2):
        inside.append(g.op("Less", y, node.inputs[2]))
    if not inside:
        return [dy]
    mask = inside[0] if len(inside) == 1 else g.op("And", *inside)
    return [g.op("Mul", dy, g.op("Cast", mask, to=g.elem(y)))]
