"""GatherElements: y takes one element of x at each place; each element gets the sum of the cotangents of its copies."""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("GatherElements", since=11)
def gather_elements(g: Graph, node: Node, dy: str) -> Cotangents:
    """A scatter that adds; it counts negative places from the end as well."""
    x, places = node.inputs
    return [g.op("ScatterElements", g.zeros_like(x), places, dy, axis=node.attr("axis"), reduction="add"), None]
