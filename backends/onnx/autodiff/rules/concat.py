"""Concat: dy is cut into the parts."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Concat", since=4)
def concat(g: Graph, node: Node, dy: str) -> Cotangents:
    """One Split, at the sizes of the inputs."""
    axis = node.attr("axis") % g.rank(node.outputs[0])
    sizes = [g.sizes(name, [axis])[0] for name in node.inputs]
    return g.ops("Split", len(sizes), dy, g.ints(sizes), axis=axis)
