"""Det: the derivative by an entry is its cofactor, the signed determinant of what is left without its row and column.

So dx_ij = dy (-1)^(i+j) det(x without row i and column j) (Laplace); exact for matrices that have no inverse too.
"""

import numpy as np
from onnx import helper

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Det", since=11)
def det(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (..., M, M), dy (...)."""
    (x,) = node.inputs
    rank, (size,) = g.rank(x), g.sizes(x, [-1])
    if size == 1:
        return [g.reshape_like(dy, x)]
    others = g.const([[k for k in range(size) if k != left_out] for left_out in range(size)], np.int64)
    minors = g.op("Gather", g.op("Gather", x, others, axis=rank - 2), others, axis=rank)
    minors = g.op("Transpose", minors, perm=[*range(rank - 2), rank - 2, rank, rank - 1, rank + 1])
    signs = g.const((-1.0) ** np.add.outer(range(size), range(size)), helper.tensor_dtype_to_np_dtype(g.elem(x)))
    cofactors = g.op("Mul", g.op("Det", minors), signs)
    return [g.op("Mul", g.op("Unsqueeze", dy, g.ints([-2, -1])), cofactors)]
