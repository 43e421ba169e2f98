"""Sum: y = a + b + ... with broadcasting, so each gets dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Sum", since=8, broadcasts=True)
def sum_(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent for all."""
    return [dy] * len(node.inputs)
