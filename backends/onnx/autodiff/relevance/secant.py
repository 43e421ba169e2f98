"""slope="secant": (f(x) - f(x')) / (x - x') with x the images' half of a batch and x' the references'.

At elementwise functions of one input that varies; f' where |x - x'| < 1e-10, and the mean of both f' where x and x' are
close at a smooth function (see `secant_close`). A product of two inputs that vary takes the other factor's mean over
both halves, by which the differences of the factors add up to that of the product; a quotient is a product with 1 / b,
whose secant is -1 / (b b'). Shrikumar et al. 2017, https://arxiv.org/abs/1704.02685, section 3.5.1 (the rescale rule).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...ir.graph import Graph, Node
from ..registry import Cotangents, Rule, rule_for
from .halves import Halves
from .products import factors
from .ratio import TINY
from .secant_close import loses_digits, slope_of_function
from .secant_maxima import maximum_cotangents
from .secant_norms import normalisation_cotangents
from .secant_softmax import softmax_cotangents
from .varying import ACTIVATIONS, Varying

__all__ = ["WRITTEN_OUT", "has_secant", "secant_cotangents"]

_UNARY = ACTIVATIONS | frozenset(
    ["Exp", "Log", "Sqrt", "Reciprocal", "Abs", "Pow", "Div", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos",
     "Atan", "Asinh", "Acosh", "Atanh"]
)  # fmt: skip
"""Elementwise where one input varies."""
WRITTEN_OUT = frozenset(["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"])
"""Operators that ONNX defines by elementwise ones and sums: they are replaced by their definition."""
_COMPOSED = frozenset(
    ["Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization",
     "MeanVarianceNormalization", "LpNormalization", "LRN"]
)  # fmt: skip
_MAXIMA = frozenset(["MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "Max", "Min"])


def has_secant(varying: Varying, node: Node) -> bool:
    """Whether a node that is not linear in what varies has a secant here."""
    positions, rule = varying.positions(node), rule_for(node)
    if rule is not None and rule.activation:
        return positions == (0,)
    if (node.domain and node.op != "Gelu") or (node.op == "LpNormalization" and node.attr("p") == 1):
        return False
    if factors(varying, node):
        return positions in {(0, 1), factors(varying, node)}
    if node.op in {"Max", "Min", "Div"}:
        return bool(positions) and (node.op != "Div" or 1 in positions)
    return positions in {(0,), (1,)} and node.op in _UNARY | _COMPOSED | _MAXIMA | WRITTEN_OUT


def secant_cotangents(
    halves: Halves, varying: Varying, node: Node, rule: Rule, dys: Sequence[str | None]
) -> Cotangents | None:
    """One cotangent for each input of a node; None where the derivative is right, or nothing better is known.

    Args:
        halves: of the batch, in the graph to append to.
        varying: the tensors that vary.
        node: any.
        rule: its derivative rule.
        dys: the cotangents of its outputs.
    """
    dy = dys[0]
    if dy is None or not has_secant(varying, node):
        return None
    if factors(varying, node):
        return _of_product(halves, varying, node, rule, dy)
    if node.op in _COMPOSED:
        return _of_composed(halves, node, rule, dys)
    position = varying.only(node)
    if position is not None and (rule.activation or node.op in _UNARY):
        dx = _of_function(halves, node, rule, dy, position)
        return [dx if p == position else None for p in range(len(node.inputs))]
    if node.op == "Div":
        return _of_quotient(halves, node, dy)
    return maximum_cotangents(halves, varying, node, rule, dy)


def _of_composed(halves: Halves, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents | None:
    if node.op in {"Softmax", "LogSoftmax"}:
        assert dys[0] is not None
        return [softmax_cotangents(halves, node, dys[0])]
    return normalisation_cotangents(halves, node, rule, dys)


def _of_product(halves: Halves, varying: Varying, node: Node, rule: Rule, dy: str) -> Cotangents:
    """The derivative at the means of the factors; a product is linear in each."""
    assert rule.derivative is not None
    means = {p: halves.mean(node.inputs[p]) for p in factors(varying, node)}
    inputs = tuple(means.get(p, name) for p, name in enumerate(node.inputs))
    return rule.derivative(halves.graph, replace(node, inputs=inputs), dy)


def _of_quotient(halves: Halves, node: Node, dy: str) -> Cotangents:
    """a / b = a (1 / b): da = dy mean(1 / b), db = -dy mean(a) / (b b')."""
    g, (a, b) = halves.graph, node.inputs
    inverse = g.op("Reciprocal", b)
    g.types[inverse] = g.types[b]
    slope = g.op("Mul", halves.mean(a), g.op("Mul", inverse, halves.other(inverse)))
    return [g.op("Mul", dy, halves.mean(inverse)), g.op("Neg", g.op("Mul", dy, slope))]


def _of_function(halves: Halves, node: Node, rule: Rule, dy: str, position: int) -> str | None:
    """The cotangent of the one input that varies."""
    g, x, (y, *_) = halves.graph, node.inputs[position], node.outputs
    closed = _CLOSED.get(_form(g, node, position))
    if closed is not None:
        return g.op("Mul", dy, closed(halves, x, y))
    assert rule.derivative is not None
    close = loses_digits(node)
    exact = rule.derivative(g, node, g.scalar(1, y) if close else dy)[position]
    if exact is None:
        return None
    if close:
        slope = slope_of_function(halves, node, exact, position)
        return halves.whole(g.op("Mul", halves.pairs(dy, y), slope), y)
    difference = halves.difference(x)
    tiny = g.op("LessOrEqual", g.op("Abs", difference), g.scalar(TINY, x))
    slope = g.op("Div", halves.difference(y), difference)
    changed = g.op("Mul", halves.pairs(dy, y), slope)
    return halves.whole(g.op("Where", tiny, halves.pairs(exact, y), changed), y)


def _form(g: Graph, node: Node, position: int) -> str:
    if node.op == "Div":
        return "Reciprocal"
    exponent = g.value(node.inputs[1]) if node.op == "Pow" and position == 0 else None
    if exponent is None or not exponent.size or (exponent != exponent.flat[0]).any():
        return node.op
    return {2: "square", 3: "cube"}.get(exponent.flat[0], node.op)


def _cube(halves: Halves, x: str) -> str:
    """x^2 + x x' + x'^2, that is (x + x')^2 - x x'."""
    g, other = halves.graph, halves.other(x)
    total = g.op("Add", x, other)
    return g.op("Sub", g.op("Mul", total, total), g.op("Mul", x, other))


_CLOSED: dict[str, Callable[[Halves, str, str], str]] = {
    "square": lambda halves, x, _: halves.graph.op("Add", x, halves.other(x)),
    "cube": lambda halves, x, _: _cube(halves, x),
    "Reciprocal": lambda halves, x, y: halves.graph.op("Neg", halves.graph.op("Div", y, halves.other(x))),
}
"""Secants that need no difference of x: of the square x + x', of the cube x^2 + x x' + x'^2, of c / x -c / (x x')."""
