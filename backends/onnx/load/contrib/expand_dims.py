"""ExpandDims: an axis of size 1 at a place that is constant."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands


@expands("ExpandDims")
def expand_dims(g: Graph, node: Node) -> list[str] | None:
    """Unsqueeze; the place may be a scalar."""
    x, place = node.inputs
    axis = g.value(place)
    return None if axis is None else [g.op("Unsqueeze", x, g.ints([int(axis.reshape(()))]))]
