"""Shrink: y = x + bias below -lambd, x - bias above lambd, else 0, so dx = dy where |x| > lambd, else 0."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Shrink")
def shrink(g: Graph, node: Node, dy: str) -> Cotangents:
    """A negative lambd leaves nothing out; where its two halves overlap the first holds, and both have slope one."""
    (x,) = node.inputs
    limit = g.scalar(node.attr("lambd"), x)
    return [g.op("Where", g.op("Greater", g.op("Abs", x), limit), dy, g.scalar(0, x))]
