"""MatMul: Y = A B over the last two axes, so dA = dY B^T, dB = A^T dY; batch axes broadcast."""

from ..graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("MatMul")
def matmul(g: Graph, node: Node, dy: str) -> Cotangents:
    """Vectors become matrices first; a constant B is turned ahead of time."""
    a, b = node.inputs
    ranks = g.rank(a), g.rank(b)
    for rank, axis in ((ranks[1], -1), (ranks[0], -2)):
        dy = g.op("Unsqueeze", dy, g.ints([axis])) if rank == 1 else dy
    wide_a = g.op("Unsqueeze", a, g.ints([0])) if ranks[0] == 1 else a
    wide_b = g.op("Unsqueeze", b, g.ints([1])) if ranks[1] == 1 else b
    da = g.op("MatMul", dy, _turned(g, wide_b, max(ranks[1], 2))) if node.wants[0] else None
    db = g.op("MatMul", _turned(g, wide_a, max(ranks[0], 2)), dy) if node.wants[1] else None
    return [da and _as(g, da, a, g.rank(b)), db and _as(g, db, b, g.rank(a))]


def _turned(g: Graph, name: str, rank: int) -> str:
    value = g.value(name)
    if value is not None:
        return g.derived(f"{name}:turned", lambda: value.swapaxes(-1, -2))
    return g.op("Transpose", name, perm=[*range(rank - 2), rank - 1, rank - 2])


def _as(g: Graph, product: str, operand: str, other: int) -> str:
    """Sum over the batch axes along which the operand was repeated, and give a vector its shape back."""
    dims = g.dims(operand)
    rank = max(len(dims), 2)
    whole = max(rank, other)
    axes = [axis for axis in range(whole - 2) if axis < whole - rank or dims[axis - whole + rank] == 1]
    if axes:
        product = g.op("ReduceSum", product, g.ints(axes), keepdims=1)
    return g.reshape_like(product, operand) if axes or len(dims) == 1 else product
