"""Transpose: the inverse permutation takes dy back."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Transpose")
def transpose(g: Graph, node: Node, dy: str) -> Cotangents:
    """Without `perm` all axes are reversed, and reversing again is the inverse."""
    perm = node.attr("perm")
    if perm is None:
        return [g.op("Transpose", dy)]
    return [g.op("Transpose", dy, perm=[perm.index(axis) for axis in range(len(perm))])]
