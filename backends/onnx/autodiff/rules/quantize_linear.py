"""QuantizeLinear: q = clip(round(x / scale) + zero point). Straight-through: dx = dq / scale, 0 where clipped.

The derivative of rounding is 0 almost everywhere; here it counts as 1, so this is an approximation: the gradient of the
network without rounding, at the activations of the one with it. Bengio et al. 2013, https://arxiv.org/abs/1308.3432.
Scales count as constants. Values are clipped that round to beyond the integers' range, as in torch's fake_quantize. If
the lower limit stands for 0 it is a ReLU that onnxruntime's quantiser has folded in, with 0 at its kink, unless the
image itself is quantised. At the network's output nothing counts as clipped: the class with the largest score would
have no gradient.
"""

from ...ir.graph import Graph, Node
from ..quantised import broadcast_parameter, is_image, value_range, zero_point
from ..registry import Cotangents, vjp


@vjp("QuantizeLinear", since=10, approximate="straight through")
def quantize_linear(g: Graph, node: Node, dy: str) -> Cotangents:
    """One scale, one per axis, or one per block; dy is per step of q."""
    x, (y,) = node.inputs[0], node.outputs
    scale = broadcast_parameter(g, node, x, node.inputs[1])
    scale = scale if g.elem(scale) == g.elem(x) else g.op("Cast", scale, to=g.elem(x))
    steps, zero = g.op("Div", x, scale), zero_point(g, node, x, 2, x)
    steps = steps if zero is None else g.op("Add", steps, zero)
    low, high = value_range(g.elem(y))
    folded, last = _starts_at_zero(g, node, low) and not is_image(g, x), y not in g.before_scores
    inside = g.op("Greater", steps, g.scalar(low if folded else low - 0.5, x))
    inside = inside if last else g.op("And", inside, g.op("Less", steps, g.scalar(high + 0.5, x)))
    dx = g.op("Div", dy if g.elem(dy) == g.elem(x) else g.op("Cast", dy, to=g.elem(x)), scale)
    dx = dx if last and not folded else g.op("Where", inside, dx, g.scalar(0, x))
    return [dx, None, None][: len(node.inputs)]


def _starts_at_zero(g: Graph, node: Node, low: float) -> bool:
    zero = g.value(node.inputs[2]) if node.has(2) else None
    return low == 0 if zero is None and not node.has(2) else zero is not None and bool((zero == low).all())
