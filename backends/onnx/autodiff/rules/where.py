"""Where: y = a where the condition holds, else b; each gets dy where it was chosen."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Where", since=9, broadcasts=True)
def where(g: Graph, node: Node, dy: str) -> Cotangents:
    """Zeros elsewhere."""
    condition = node.inputs[0]
    zero = g.scalar(0, dy)
    da = g.op("Where", condition, dy, zero) if node.needs_gradient[1] else None
    return [None, da, g.op("Where", condition, zero, dy) if node.needs_gradient[2] else None]
