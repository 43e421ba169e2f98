"""Dropout at inference: y = x, so dx = dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Dropout", since=12)
def dropout(g: Graph, node: Node, dy: str, *_: str | None) -> Cotangents:
    """The cotangent as it is; a training mode that was left on is refused when the network is read."""
    return [dy]
