"""Gelu: x P(x) with the normal distribution P; BiasGelu: that of x + b. The standard has it from opset 20 on.

Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
"""

from math import sqrt

from ...ir.graph import Graph, Node
from ..fused_operators import expands, first_typed


@expands("Gelu")
def gelu(g: Graph, node: Node) -> list[str]:
    """Of the input."""
    return [normal_gelu(g, node.inputs[0])]


@expands("BiasGelu")
def bias_gelu(g: Graph, node: Node) -> list[str]:
    """Of the sum of both inputs."""
    first_typed(g, *node.inputs)
    return [normal_gelu(g, g.op("Add", *node.inputs))]


def normal_gelu(g: Graph, x: str) -> str:
    """x (1 + erf(x / sqrt 2)) / 2."""
    if g.opsets.get("", 18) >= 20:
        return g.op("Gelu", x)
    one, half, root = (g.scalar(v, first_typed(g, x)) for v in (1, 0.5, sqrt(2)))
    share = g.op("Add", g.op("Erf", g.op("Div", x, root)), one)
    return g.op("Mul", g.op("Mul", x, share), half)
