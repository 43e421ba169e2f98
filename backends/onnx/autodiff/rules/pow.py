"""Pow: y = a^b with broadcasting, so da = b a^(b-1) dy, db = y ln(a) dy (0 where a = 0, as PyTorch has it)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Pow", since=7, broadcasts=True)
def pow_(g: Graph, node: Node, dy: str) -> Cotangents:
    """A constant exponent of 2 is a product."""
    a, b = node.inputs
    return [
        _base(g, a, b, dy) if node.needs_gradient[0] else None,
        _exponent(g, node, dy) if node.needs_gradient[1] else None,
    ]


def _base(g: Graph, a: str, b: str, dy: str) -> str:
    value = g.value(b)
    if value is not None and value.size == 1 and float(value.reshape(())) == 2:
        return g.op("Mul", dy, g.op("Add", a, a))
    if value is not None and value.size == 1:
        less, slope = (g.scalar(float(value.reshape(())) - by, a) for by in (1, 0))
        return g.op("Mul", dy, g.op("Mul", slope, g.op("Pow", a, less)))
    b = g.op("Cast", b, to=g.elem(a)) if g.elem(b) != g.elem(a) else b
    return g.op("Mul", dy, g.op("Mul", b, g.op("Pow", a, g.op("Sub", b, g.scalar(1, a)))))


def _exponent(g: Graph, node: Node, dy: str) -> str:
    a = node.inputs[0]
    one = g.op("Equal", a, g.scalar(0, a))
    log = g.op("Log", g.op("Where", one, g.scalar(1, a), a))
    return g.op("Mul", dy, g.op("Mul", node.outputs[0], log))
