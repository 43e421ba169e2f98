"""Secants of Softmax and LogSoftmax, composed of exponentials, their sum S and its inverse or logarithm.

y = e / S with e = exp(x - m), m one maximum of both halves. The product takes means, 1 / S has the secant -1 / (S S').
"""

from ...ir.graph import Graph, Node
from .halves import Halves
from .secant_close import are_apart

__all__ = ["softmax_cotangents"]

_SMALLEST = 1e-30
"""A half whose numbers are all far below the other's has a sum that underflows."""


def softmax_cotangents(halves: Halves, node: Node, dy: str) -> str:
    """The cotangent of x.

    Args:
        halves: of the batch, in the graph to append to.
        node: a Softmax or LogSoftmax.
        dy: the cotangent of its output.
    """
    g, x = halves.graph, node.inputs[0]
    axis = g.ints([node.attr("axis") % g.rank(x)])
    e, slope = _exponentials(halves, x, axis)
    total = g.op("Max", g.op("ReduceSum", e, axis, keepdims=1), g.scalar(_SMALLEST, e))
    _of_shape(g, total, x, int(node.attr("axis") % g.rank(x)))
    if node.op == "LogSoftmax":
        of_sum = g.op("Mul", g.op("ReduceSum", dy, axis, keepdims=1), _log_secant(halves, total))
        return g.op("Sub", dy, g.op("Mul", of_sum, slope))
    inverse = g.op("Reciprocal", total)
    g.types[inverse] = g.types[total]
    of_sum = g.op("ReduceSum", g.op("Mul", dy, halves.mean(e, x)), axis, keepdims=1)
    of_sum = g.op("Mul", of_sum, g.op("Mul", inverse, halves.other(inverse)))
    de = g.op("Sub", g.op("Mul", dy, halves.mean(inverse)), of_sum)
    return g.op("Mul", de, slope)


def _exponentials(halves: Halves, x: str, axis: str) -> tuple[str, str]:
    """exp(x - m) and its secant, of the shape of x."""
    g = halves.graph
    larger = g.op("Max", *halves.both(x, x))
    both = halves.whole(halves.joined(larger, larger, x), x)
    e = g.op("Exp", g.op("Sub", x, g.op("ReduceMax", both, axis, keepdims=1)))
    g.types[e] = g.types[x]
    difference = halves.difference(x)
    slope = g.op("Div", halves.difference(e), difference)
    return e, _slope(halves, x, slope, e)


def _log_secant(halves: Halves, total: str) -> str:
    g = halves.graph
    log = g.op("Log", total)
    g.types[log] = g.types[total]
    slope = g.op("Div", halves.difference(log), halves.difference(total))
    inverse = g.op("Reciprocal", total)
    g.types[inverse] = g.types[total]
    return _slope(halves, total, slope, inverse)


def _slope(halves: Halves, x: str, quotient: str, derivative: str) -> str:
    """The quotient where x and x' are apart, else the mean derivative; for both halves, of the shape of x."""
    g = halves.graph
    mean = g.op("Mul", g.op("Add", *halves.both(derivative, x)), g.scalar(0.5, x))
    slope = g.op("Where", are_apart(halves, x), quotient, mean)
    return halves.whole(halves.joined(slope, slope, x), x)


def _of_shape(g: Graph, reduced: str, x: str, axis: int) -> None:
    kind = g.types[x]
    dims = [1 if a == axis else n for a, n in enumerate(g.dims(x))]
    g.types[reduced] = type(kind)(kind.elem, tuple(dims))
