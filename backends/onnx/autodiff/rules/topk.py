"""TopK: the chosen values get dy, all others 0; the places carry no gradient."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("TopK", since=10)
def topk(g: Graph, node: Node, dy: str | None, *of_places: str | None) -> Cotangents:
    """dy is scattered to the indices, which a second TopK computes: the node may not have them as an output."""
    x, count = node.inputs
    if dy is None:
        return [None, None]
    how = {name: node.attr(name) for name in ("axis", "largest", "sorted") if name in node.attributes}
    _, places = g.ops("TopK", 2, x, count, **how)
    return [g.op("ScatterElements", g.zeros_like(x), places, dy, axis=node.attr("axis")), None]
