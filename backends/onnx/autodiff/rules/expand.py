"""Expand: y repeats x along broadcast axes, so dx is dy summed over them (in the sweep)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Expand", since=8, broadcasts=True)
def expand(g: Graph, node: Node, dy: str) -> Cotangents:
    """The cotangent as it is; the sweep sums it back."""
    return [dy]
