"""Sub: y = a - b with broadcasting, so da = dy, db = -dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Sub", since=7, broadcasts=True)
def sub(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent and its negative."""
    return [dy, g.op("Neg", dy) if node.needs_gradient[1] else None]
