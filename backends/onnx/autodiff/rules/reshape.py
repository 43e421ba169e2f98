"""Operators that only rearrange how axes are counted: dx is dy in the shape of x."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(g: Graph, node: Node, dy: str) -> Cotangents:
    """No element moves."""
    return [g.reshape_like(dy, node.inputs[0])]
