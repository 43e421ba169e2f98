"""ReduceSum: y is the sum over axes, so dx = dy along them."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._reduction import expand_to_input


@vjp("ReduceSum", since=13)
def reduce_sum(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent for every element."""
    return [expand_to_input(g, node, dy)]
