"""Add: y = a + b with broadcasting, so da = db = dy (summed back in the sweep)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Add", since=7, broadcasts=True)
def add(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent for both."""
    return [dy, dy]
