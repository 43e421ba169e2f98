"""MatMul: Y = A B over the last two axes, so dA = dY B^T, dB = A^T dY; batch axes broadcast."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("MatMul")
def matmul(g: Graph, node: Node, dy: str) -> Cotangents:
    """Vectors become matrices first; onnxruntime multiplies by what it need not turn before."""
    a, b = node.inputs
    ranks = g.rank(a), g.rank(b)
    for rank, axis in ((ranks[1], -1), (ranks[0], -2)):
        dy = g.op("Unsqueeze", dy, g.ints([axis])) if rank == 1 else dy
    wide_a = g.op("Unsqueeze", a, g.ints([0])) if ranks[0] == 1 else a
    wide_b = g.op("Unsqueeze", b, g.ints([1])) if ranks[1] == 1 else b
    da = g.op("MatMul", dy, _transpose(g, wide_b, max(ranks[1], 2))) if node.needs_gradient[0] else None
    db = g.op("MatMul", _transpose(g, wide_a, max(ranks[0], 2)), dy) if node.needs_gradient[1] else None
    return [da and _as(g, da, a, b), db and _as(g, db, b, a)]


def _transpose(g: Graph, name: str, rank: int) -> str:
    return g.op("Transpose", name, perm=[*range(rank - 2), rank - 1, rank - 2])


def _as(g: Graph, product: str, operand: str, other: str) -> str:
    """Sum over the batch axes along which the operand was repeated, and give a vector its shape back."""
    own, others = g.dims(operand)[:-2], g.dims(other)[:-2]
    whole = max(len(own), len(others))
    own, others = ((1,) * (whole - len(batch)) + tuple(batch) for batch in (own, others))
    axes = [axis for axis, (small, large) in enumerate(zip(own, others, strict=True)) if small == 1 != large]
    if axes:
        product = g.op("ReduceSum", product, g.ints(axes), keepdims=1)
    same = g.rank(operand) == whole + 2
    return product if same else g.reshape_like(product, operand)
