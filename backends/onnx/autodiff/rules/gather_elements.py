"""GatherElements: y takes one element of x at each place; each element gets the sum of the cotangents of its copies."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._scatter_add import scatter_add


@vjp("GatherElements", since=11)
def gather_elements(g: Graph, node: Node, dy: str) -> Cotangents:
    """A scatter with addition, which allows negative indices too."""
    x, indices = node.inputs
    return [scatter_add(g, g.zeros_like(x), indices, dy, node.attr("axis")), None]
