"""FusedMatMul (once TransposeMatMul): alpha A' B'.

transA turns the last two axes of A; transBatchA moves its first axis behind the other batch axes beforehand, from
(m, b, ..., k) to (b, ..., m, k). B likewise.
"""

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands, first_typed


@expands("FusedMatMul", "TransposeMatMul")
def fused_matmul(g: Graph, node: Node) -> list[str]:
    """Transpose where asked, MatMul, and a factor."""
    a, b = (
        _transpose(g, name, bool(node.attr(f"trans{side}", 0)), bool(node.attr(f"transBatch{side}", 0)))
        for name, side in zip(node.inputs, "AB", strict=True)
    )
    alpha = node.attr("alpha", 1.0)
    factor = None if alpha == 1 else g.scalar(alpha, first_typed(g, *node.inputs))
    y = g.op("MatMul", a, b)
    return [y if factor is None else g.op("Mul", y, factor)]


def _transpose(g: Graph, name: str, last: bool, batch: bool) -> str:
    if not last and not batch:
        return name
    if name not in g.constants and (name not in g.types or g.types[name].dims is None):
        raise UnknownTypeError(f"the rank of {name!r} is not known")
    rank = g.rank(name)
    if rank < 2:
        return name
    order = [*range(1, rank - 1), 0, rank - 1] if batch else list(range(rank))
    if last:
        order[-2:] = order[:-3:-1]
    return g.op("Transpose", name, perm=order)
