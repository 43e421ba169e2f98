"""Mish: y = x t with t = tanh(ln(1 + e^x)), so dx = (t + x (1 - t^2) sigmoid(x)) dy.

Misra 2019, https://arxiv.org/abs/1908.08681.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Mish", since=18)
def mish(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the input."""
    (x,) = node.inputs
    t = g.op("Tanh", g.op("Softplus", x))
    slope = g.op("Mul", g.op("Sub", g.scalar(1, x), g.op("Mul", t, t)), g.op("Sigmoid", x))
    return [g.op("Mul", dy, g.op("Add", t, g.op("Mul", x, slope)))]
