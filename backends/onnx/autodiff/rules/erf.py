"""Erf: dx = 2 / sqrt(pi) e^(-x^2) dy."""

from math import pi, sqrt

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Erf")
def erf(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the input."""
    (x,) = node.inputs
    bell = g.op("Exp", g.op("Neg", g.op("Mul", x, x)))
    return [g.op("Mul", dy, g.op("Mul", bell, g.scalar(2 / sqrt(pi), x)))]
