"""The secant of a function of one tensor, with the digits that differences of close values lose.

(f(x) - f(x')) / (x - x') loses 6e-8 |f(x)| / |x - x'| to rounding. Where x and x' are close it is (f'(x) + f'(x')) / 2,
whose error is |x - x'|^2 / 12 times the third derivative; within a linear piece it is the derivative of both.
"""

from crosslens.model.backward_rules import close_pairs
from onnx import TensorProto

from ...ir.graph import Node
from .halves import Halves
from .ratio import TINY

__all__ = ["are_apart", "loses_digits", "slope_of_function"]

_SMOOTH = frozenset({"Sigmoid", "Tanh", "Erf", "Softplus", "Mish", "Swish", "Gelu", "Exp"})
_SIDES = {"Elu": 0.0, "Selu": 0.0, "Celu": 0.0, "Softsign": 0.0, "HardSwish": 3.0}
"""Smooth on either side of a number, and of minus that number."""
_PIECES = frozenset({"LeakyRelu", "PRelu", "HardSigmoid", "Shrink"})
"""Of linear pieces with rounded values; the secants of other rectifiers and clips are exact."""


def loses_digits(node: Node) -> bool:
    """Whether a function's secant between close values is found without their difference."""
    return (not node.domain or node.op == "Gelu") and node.op in _SMOOTH | _SIDES.keys() | _PIECES


def slope_of_function(halves: Halves, node: Node, derivative: str, position: int) -> str:
    """The slope for both halves, of the shape of one.

    Args:
        halves: of the batch, in the graph to append to.
        node: an elementwise function that `loses_digits`.
        derivative: f' at both halves, in the shape of its input.
        position: of the input that varies.
    """
    g, x, (y, *_) = halves.graph, node.inputs[position], node.outputs
    own, others = g.ops("Split", 2, halves.pairs(derivative, y), axis=halves.axis(y), num_outputs=2)
    mean = g.op("Mul", g.op("Add", own, others), g.scalar(0.5, x))
    slope = g.op("Div", halves.difference(y), halves.difference(x))
    return g.op("Where", _apart(halves, node, x, own, others), slope, mean)


def are_apart(halves: Halves, x: str) -> str:
    """Where a smooth function of x is to have its quotient; false where both are the same infinite number."""
    g = halves.graph
    width = close_pairs(64 if g.elem(x) == TensorProto.DOUBLE else 32)
    return g.op("GreaterOrEqual", g.op("Abs", halves.difference(x)), g.scalar(width, x))


def _apart(halves: Halves, node: Node, x: str, own: str, others: str) -> str:
    g = halves.graph
    if node.op in _SMOOTH:
        return are_apart(halves, x)
    if node.op in _SIDES:
        sides = list(halves.both(x, x))
        if kink := _SIDES[node.op]:
            sides = [g.op("Sub", g.op("Abs", side), g.scalar(kink, x)) for side in sides]
        return g.op("Or", are_apart(halves, x), g.op("Less", g.op("Mul", *sides), g.scalar(0, x)))
    apart = g.op("Greater", g.op("Abs", halves.difference(x)), g.scalar(TINY, x))
    return g.op("And", apart, g.op("Not", g.op("Equal", own, others)))
