"""Swish: y = x s with s = sigmoid(alpha x), so dx = (s + alpha y (1 - s)) dy.

Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Swish", since=24)
def swish(g: Graph, node: Node, dy: str) -> Cotangents:
    """From input and output."""
    (x,), (y,), alpha = node.inputs, node.outputs, node.attr("alpha")
    s = g.op("Sigmoid", g.op("Mul", x, g.scalar(alpha, x)))
    rest = g.op("Mul", g.op("Mul", y, g.scalar(alpha, x)), g.op("Sub", g.scalar(1, x), s))
    return [g.op("Mul", dy, g.op("Add", s, rest))]
