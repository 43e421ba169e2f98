"""DynamicQuantizeLinear: q = round(x / scale) + zero, both from the range of x. Straight through: dx = dq / scale.

scale = (max(x, 0) - min(x, 0)) / 255. Where q is used, scale and zero count as constants: what they change in q they
change back where q is multiplied by scale again, but for rounding. Where only the scale is used its gradient is exact.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("DynamicQuantizeLinear", approximate="straight through")
def dynamic_quantize_linear(g: Graph, node: Node, dq: str | None, dscale: str | None, _zero: str | None) -> Cotangents:
    """Nothing is cut off: the range is that of x. Shapes: x and dq any, dscale ()."""
    (x,), scale = node.inputs, node.outputs[1]
    if dq is not None:
        return [g.op("Div", dq, scale)]
    if dscale is None:
        return [None]
    share, zero = g.op("Div", dscale, g.scalar(255, x)), g.scalar(0, x)
    highest, lowest = (g.op(op, g.op(f"Reduce{op}", x, keepdims=0), zero) for op in ("Max", "Min"))
    above = g.op("And", g.op("Equal", x, highest), g.op("Greater", x, zero))
    below = g.op("And", g.op("Equal", x, lowest), g.op("Less", x, zero))
    return [g.op("Where", above, share, g.op("Where", below, g.op("Neg", share), zero))]
