"""slope="ratio": at activation functions dx = dy f(x) / x, and dy f'(x) where |x| < 1e-10."""

from math import pi, sqrt, tanh

from onnx import TensorProto

from ...ir.graph import Graph, Node
from ..registry import Rule
from .varying import is_activation

__all__ = ["TINY", "is_tiny", "ratio_cotangent"]

TINY = 1e-10
"""Below, a quotient of differences says nothing: the derivative is taken."""
_HOMOGENEOUS = frozenset({"Relu", "LeakyRelu", "PRelu", "ThresholdedRelu"})
"""f(x) / x is the derivative."""
_SLOPES_AT_ZERO = {
    "Tanh": 1.0, "Erf": 2 / sqrt(pi), "Sigmoid": 0.25, "Softplus": 0.5, "Softsign": 1.0, "Gelu": 0.5, "HardSwish": 0.5,
    "Swish": 0.5, "Mish": tanh(0.6931471805599453),
}  # fmt: skip
"""Of smooth functions with no parameter that changes it."""


def is_tiny(g: Graph, x: str) -> str:
    """Where |x| is too small to divide by."""
    return g.op("LessOrEqual", g.op("Abs", x), g.scalar(TINY, x))


def ratio_cotangent(g: Graph, node: Node, rule: Rule, dy: str, position: int) -> str | None:
    """The cotangent of the one input that varies; None where that is what the derivative gives.

    Args:
        g: the graph to append to.
        node: any.
        rule: its derivative rule.
        dy: the cotangent of its output.
        position: of the input that varies.
    """
    if not is_activation(node) or node.op in _HOMOGENEOUS:
        return None
    x, (y, *_) = node.inputs[position], node.outputs
    clip = _of_clip(g, node, position)
    if clip is not None:
        return g.op("Mul", dy, clip)
    ratio, tiny = g.op("Div", y, x), is_tiny(g, x)
    if node.op in _SLOPES_AT_ZERO:
        return g.op("Mul", dy, g.op("Where", tiny, g.scalar(_SLOPES_AT_ZERO[node.op], x), ratio))
    assert rule.derivative is not None
    return g.op("Where", tiny, rule.derivative(g, node, dy)[position], g.op("Mul", dy, ratio))


def _of_clip(g: Graph, node: Node, position: int) -> str | None:
    """f(x) / x of min(max(x, 0), c) and of hard swish, where nothing is divided by 0; None of others."""
    x, (y, *_) = node.inputs[position], node.outputs
    if node.op == "HardSwish":
        return g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    low, high = (g.value(node.inputs[p]) if node.op == "Clip" and node.has(p) else None for p in (1, 2))
    if low is None or low.any() or (high is None and node.has(2)):
        return None
    smallest = 1e-7 if g.elem(x) == TensorProto.FLOAT16 else 1e-30
    return g.op("Div", y, g.op("Max", x, g.scalar(smallest, x)))
