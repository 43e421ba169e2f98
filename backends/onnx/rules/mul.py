"""Mul: y = a b with broadcasting, so da = b dy, db = a dy."""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Mul", since=7, broadcasts=True)
def mul(g: Graph, node: Node, dy: str) -> Cotangents:
    """Each factor times the cotangent of the other."""
    a, b = node.inputs
    return [g.op("Mul", dy, b) if node.wants[0] else None, g.op("Mul", dy, a) if node.wants[1] else None]
