"""ReduceSum: y is the sum over axes, so dx = dy along them."""

from ..graph import Graph, Node
from ..reduction import widened
from ..registry import Cotangents, vjp


@vjp("ReduceSum", since=13)
def reduce_sum(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent for every element."""
    return [widened(g, node, dy)]
