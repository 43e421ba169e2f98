"""Mul: y = a b with broadcasting, so da = b dy, db = a dy. SiLU, x s(x), is taken as one: dx = (s + y (1 - s)) dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Mul", since=7, broadcasts=True)
def mul(g: Graph, node: Node, dy: str) -> Cotangents:
    """Each factor times the cotangent of the other."""
    a, b = node.inputs
    if all(node.needs_gradient):
        for x, s in ((a, b), (b, a)):
            if s not in g.wrt and _is_sigmoid(g, s, x):
                dx = _silu(g, node.outputs[0], s, dy)
                return [dx, None] if x == a else [None, dx]
    return [
        g.op("Mul", dy, b) if node.needs_gradient[0] else None,
        g.op("Mul", dy, a) if node.needs_gradient[1] else None,
    ]


def _is_sigmoid(g: Graph, s: str, x: str) -> bool:
    node = g.producer(s)
    return node is not None and node.op == "Sigmoid" and node.inputs == (x,)


def _silu(g: Graph, y: str, s: str, dy: str) -> str:
    return g.op("Mul", dy, g.op("Add", s, g.op("Mul", y, g.op("Sub", g.scalar(1, s), s))))
