"""Secants of Softmax and LogSoftmax, by logarithmic means.

With y and y' the shares of both halves and d = ln y - ln y', L = (y - y') / d is their logarithmic mean. Since shares
add up to 1, the change of ln S is sum L (x - x') / sum L, so that dx = L (dy - sum dy L / sum L), and of LogSoftmax
dx = dy - L sum dy / sum L, add up to the change of the outputs exactly. No number is larger than those of dy.
"""

from ...ir.graph import Graph, Node
from .halves import Halves
from .secant_close import are_apart

__all__ = ["softmax_cotangents"]


def softmax_cotangents(halves: Halves, node: Node, dy: str) -> str:
    """The cotangent of x.

    Args:
        halves: of the batch, in the graph to append to.
        node: a Softmax or LogSoftmax.
        dy: the cotangent of its output.
    """
    g, x = halves.graph, node.inputs[0]
    axis = node.attr("axis") % g.rank(x)
    axes = g.ints([axis])
    mean = _logarithmic_mean(halves, node, axis)
    share = g.op("Div", mean, g.op("ReduceSum", mean, axes, keepdims=1))
    if node.op == "LogSoftmax":
        return g.op("Sub", dy, g.op("Mul", g.op("ReduceSum", dy, axes, keepdims=1), share))
    of_all = g.op("ReduceSum", g.op("Mul", dy, share), axes, keepdims=1)
    return g.op("Mul", mean, g.op("Sub", dy, of_all))


def _logarithmic_mean(halves: Halves, node: Node, axis: int) -> str:
    """L at both halves, of the shape of x; the mean of y and y' where they are close, whose error is d^2 / 12."""
    g, x, y = halves.graph, node.inputs[0], node.outputs[0]
    other = _like(g, g.op("Exp", y) if node.op == "LogSoftmax" else g.op("LogSoftmax", x, axis=axis), x)
    shares, logarithms = (other, y) if node.op == "LogSoftmax" else (y, other)
    mean = g.op("Mul", g.op("Add", *halves.both(shares, x)), g.scalar(0.5, x))
    quotient = g.op("Div", halves.difference(shares, x), halves.difference(logarithms, x))
    mean = g.op("Where", are_apart(halves, logarithms), quotient, mean)
    return _like(g, halves.whole(halves.joined(mean, mean, x), x), x)


def _like(g: Graph, name: str, x: str) -> str:
    g.types[name] = g.types[x]
    return name
