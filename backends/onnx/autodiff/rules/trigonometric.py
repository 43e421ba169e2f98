"""Circular and hyperbolic functions and their inverses: each derivative from a table of calculus."""

from collections.abc import Callable

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Sin")
def sin(g: Graph, node: Node, dy: str) -> Cotangents:
    """sin' = cos."""
    return [g.op("Mul", dy, g.op("Cos", node.inputs[0]))]


@vjp("Cos")
def cos(g: Graph, node: Node, dy: str) -> Cotangents:
    """cos' = -sin."""
    return [g.op("Neg", g.op("Mul", dy, g.op("Sin", node.inputs[0])))]


@vjp("Tan")
def tan(g: Graph, node: Node, dy: str) -> Cotangents:
    """tan' = 1 + tan^2."""
    (y,) = node.outputs
    return [g.op("Mul", dy, g.op("Add", g.scalar(1, y), g.op("Mul", y, y)))]


@vjp("Sinh")
def sinh(g: Graph, node: Node, dy: str) -> Cotangents:
    """sinh' = cosh."""
    return [g.op("Mul", dy, g.op("Cosh", node.inputs[0]))]


@vjp("Cosh")
def cosh(g: Graph, node: Node, dy: str) -> Cotangents:
    """cosh' = sinh."""
    return [g.op("Mul", dy, g.op("Sinh", node.inputs[0]))]


def _inverse(below: Callable[[Graph, str, str], str]) -> Callable[[Graph, Node, str], Cotangents]:
    """A function whose derivative is 1 / below(x^2)."""

    def derivative(g: Graph, node: Node, dy: str) -> Cotangents:
        (x,) = node.inputs
        return [g.op("Div", dy, below(g, g.op("Mul", x, x), g.scalar(1, x)))]

    return derivative


vjp("Atan")(_inverse(lambda g, square, one: g.op("Add", one, square)))
vjp("Atanh", since=9)(_inverse(lambda g, square, one: g.op("Sub", one, square)))
vjp("Asin")(_inverse(lambda g, square, one: g.op("Sqrt", g.op("Sub", one, square))))
vjp("Acos")(_inverse(lambda g, square, one: g.op("Neg", g.op("Sqrt", g.op("Sub", one, square)))))
vjp("Asinh", since=9)(_inverse(lambda g, square, one: g.op("Sqrt", g.op("Add", square, one))))
vjp("Acosh", since=9)(_inverse(lambda g, square, one: g.op("Sqrt", g.op("Sub", square, one))))
