"""Identity: y = x, so dx = dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Identity")
def identity(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent as it is."""
    return [dy]
