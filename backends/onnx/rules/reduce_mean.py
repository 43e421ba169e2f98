"""ReduceMean: y is the mean over axes, so dx = dy / count along them."""

from math import prod

from ..graph import Graph, Node
from ..reduction import axes_of, widened
from ..registry import Cotangents, vjp


@vjp("ReduceMean", since=18)
def reduce_mean(g: Graph, node: Node, dy: str) -> Cotangents:
    """The same share for every element."""
    x = node.inputs[0]
    share = g.op("Mul", dy, g.scalar(1 / prod(g.sizes(x, axes_of(g, node))), x))
    return [widened(g, node, share)]
