"""Compress: y keeps the rows of x that a condition marks, so dy goes back to them, zeros elsewhere."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Compress", since=9)
def compress(g: Graph, node: Node, dy: str) -> Cotangents:
    """Without an axis, x counts as one row of elements. The condition may be shorter than the axis."""
    x, condition = node.inputs
    axis = node.attr("axis")
    chosen = g.op("Reshape", g.op("NonZero", condition), g.ints([-1]))
    zeros = g.zeros_like(x)
    if axis is None:
        flat = g.op("Reshape", zeros, g.ints([-1]))
        return [g.reshape_like(g.op("ScatterElements", flat, chosen, dy, axis=0), x), None]
    rank = g.rank(x)
    wide = g.op("Reshape", chosen, g.ints(-1 if a == axis % rank else 1 for a in range(rank)))
    everywhere = g.op("Expand", wide, g.op("Shape", dy))
    return [g.op("ScatterElements", zeros, everywhere, dy, axis=axis), None]
