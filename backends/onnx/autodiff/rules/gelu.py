"""Gelu: y = x P(x), so dx = (P(x) + x p(x)) dy; P is the normal distribution, or its approximation by tanh.

Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
"""

from math import pi, sqrt

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Gelu", since=20)
@vjp("Gelu", domain="com.microsoft")
def gelu(g: Graph, node: Node, dy: str) -> Cotangents:
    """Both forms share the product rule."""
    (x,) = node.inputs
    share, density = _by_tanh(g, x) if node.attr("approximate", "none") == "tanh" else _exact(g, x)
    return [g.op("Mul", dy, g.op("Add", share, g.op("Mul", x, density)))]


def _exact(g: Graph, x: str) -> tuple[str, str]:
    erf = g.op("Erf", g.op("Mul", x, g.scalar(sqrt(0.5), x)))
    share = g.op("Mul", g.op("Add", erf, g.scalar(1, x)), g.scalar(0.5, x))
    bell = g.op("Exp", g.op("Mul", g.op("Mul", x, x), g.scalar(-0.5, x)))
    return share, g.op("Mul", bell, g.scalar(1 / sqrt(2 * pi), x))


def _by_tanh(g: Graph, x: str) -> tuple[str, str]:
    """P = (1 + t) / 2 with t = tanh(k (x + 0.044715 x^3)), so p = (1 - t^2) / 2 k (1 + 3 * 0.044715 x^2)."""
    k, cubic = sqrt(2 / pi), 0.044715
    square = g.op("Mul", x, x)
    inner = g.op("Mul", x, g.op("Add", g.op("Mul", square, g.scalar(k * cubic, x)), g.scalar(k, x)))
    t = g.op("Tanh", inner)
    share = g.op("Mul", g.op("Add", t, g.scalar(1, x)), g.scalar(0.5, x))
    slope = g.op("Add", g.op("Mul", square, g.scalar(1.5 * k * cubic, x)), g.scalar(0.5 * k, x))
    return share, g.op("Mul", slope, g.op("Sub", g.scalar(1, x), g.op("Mul", t, t)))
