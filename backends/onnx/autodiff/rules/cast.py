"""Cast between floating types: y = x but for rounding, so dx = dy in the type of x."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Cast", "CastLike")
def cast(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent, cast back."""
    return [g.op("Cast", dy, to=g.elem(node.inputs[0]))]
