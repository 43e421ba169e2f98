"""MaxUnpool: each value of x is put at its place in y, zeros elsewhere; so dx is dy at those places."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("MaxUnpool", since=9)
def max_unpool(g: Graph, node: Node, dy: str) -> Cotangents:
    """Places count through the whole output."""
    flat = g.op("Reshape", dy, g.ints([-1]))
    return [g.op("Gather", flat, node.inputs[1], axis=0), *[None] * (len(node.inputs) - 1)]
