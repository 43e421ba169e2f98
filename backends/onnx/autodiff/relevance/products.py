"""Products of inputs that vary: Mul, MatMul, Gemm and Einsum; products="half" halves the cotangents of both."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, Rule
from .varying import Varying

__all__ = ["factors", "halved_cotangents"]

_FACTORS = {"Mul": 2, "MatMul": 2, "Gemm": 2, "Einsum": None}


def factors(varying: Varying, node: Node) -> tuple[int, ...]:
    """The positions of the factors of a product that vary, if at least two do; else none."""
    if node.domain or node.op not in _FACTORS:
        return ()
    positions = tuple(p for p in varying.positions(node) if p < (_FACTORS[node.op] or len(node.inputs)))
    return positions if len(positions) > 1 else ()


def halved_cotangents(g: Graph, node: Node, rule: Rule, dy: str, count: int) -> Cotangents:
    """The cotangents of a product, shared equally by the factors; the term that a Gemm adds keeps its own.

    Args:
        g: the graph to append to.
        node: the product.
        rule: its derivative rule.
        dy: the cotangent of its output.
        count: the number of factors that vary.
    """
    assert rule.derivative is not None
    share = g.op("Mul", dy, g.scalar(1 / count, dy))
    cotangents = list(rule.derivative(g, node, share))
    if node.op == "Gemm" and len(node.needs_gradient) > 2 and node.needs_gradient[2]:
        cotangents[2] = rule.derivative(g, node, dy)[2]
    return cotangents
