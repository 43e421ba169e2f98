"""Inverse, of onnxruntime's own domain: Y = X^-1, so dX = -Y' dY Y' (Giles 2008, section 2.2.3)."""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Inverse", domain="com.microsoft")
def inverse(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: (..., M, M) all."""
    (y,) = node.outputs
    rank = g.rank(y)
    turned = g.op("Transpose", y, perm=[*range(rank - 2), rank - 1, rank - 2])
    return [g.op("Neg", g.op("MatMul", g.op("MatMul", turned, dy), turned))]
