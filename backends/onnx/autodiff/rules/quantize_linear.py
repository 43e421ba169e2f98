"""QuantizeLinear: q = round(x / scale) + zero, within limits. Straight through: dx = dq / scale, 0 where cut off.

The derivative of rounding is 0 almost everywhere; here it counts as 1, so that this is an approximation: the gradient
of the network without rounding, at the activations of the one with it. Bengio et al. 2013,
https://arxiv.org/abs/1308.3432. Scales count as constants. Cut off is what rounds to beyond the ends (as in torch's
fake_quantize); but an end that stands for 0 is a ReLU that onnxruntime's quantiser has folded in, with 0 at its kink,
unless the image itself is rounded.
Nothing is cut off at the network's own end: the class that is surest would be the one without a gradient.
"""

from ...ir.graph import Graph, Node
from ..quantised import ends, is_image, offset, spread
from ..registry import Cotangents, vjp


@vjp("QuantizeLinear", since=10, approximate="straight through")
def quantize_linear(g: Graph, node: Node, dy: str) -> Cotangents:
    """One scale, one per axis, or one per block; dy is per step of q."""
    x, (y,) = node.inputs[0], node.outputs
    scale = spread(g, node, x, node.inputs[1])
    scale = scale if g.elem(scale) == g.elem(x) else g.op("Cast", scale, to=g.elem(x))
    steps, zero = g.op("Div", x, scale), offset(g, node, x, 2, x)
    steps = steps if zero is None else g.op("Add", steps, zero)
    low, high = ends(g.elem(y))
    folded, last = _starts_at_zero(g, node, low) and not is_image(g, x), y not in g.inner
    inside = g.op("Greater", steps, g.scalar(low if folded else low - 0.5, x))
    inside = inside if last else g.op("And", inside, g.op("Less", steps, g.scalar(high + 0.5, x)))
    dx = g.op("Div", dy if g.elem(dy) == g.elem(x) else g.op("Cast", dy, to=g.elem(x)), scale)
    dx = dx if last and not folded else g.op("Where", inside, dx, g.scalar(0, x))
    return [dx, None, None][: len(node.inputs)]


def _starts_at_zero(g: Graph, node: Node, low: float) -> bool:
    zero = g.value(node.inputs[2]) if node.has(2) else None
    return low == 0 if zero is None and not node.has(2) else zero is not None and bool((zero == low).all())
