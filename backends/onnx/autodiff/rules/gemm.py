"""Gemm: y = alpha A' B' + beta C, where ' may transpose, so dA' = alpha dy B'^T, dB' = alpha A'^T dy, dC = beta dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Gemm", since=7, broadcasts=False)
def gemm(g: Graph, node: Node, dy: str) -> Cotangents:
    """Each product is one Gemm that transposes on the way."""
    a, b, *_ = node.inputs
    ta, tb, alpha = node.attr("transA", 0), node.attr("transB", 0), node.attr("alpha")
    da = db = dc = None
    if node.needs_gradient[0]:
        da = g.op("Gemm", b, dy, transA=tb, transB=1, alpha=alpha) if ta else _times_transposed(g, dy, b, tb, alpha)
    if node.needs_gradient[1]:
        left, right = (dy, a) if tb else (a, dy)
        db = g.op("Gemm", left, right, transA=1 if tb else 1 - ta, transB=ta if tb else 0, alpha=alpha)
    if len(node.needs_gradient) > 2 and node.needs_gradient[2]:
        dc = _bias(g, node, dy)
    return [da, db, dc][: len(node.inputs)]


def _times_transposed(g: Graph, dy: str, b: str, tb: int, alpha: float) -> str:
    """dy B'^T; a constant B is turned ahead of time."""
    value = g.value(b)
    if value is None or tb:
        return g.op("Gemm", dy, b, transB=1 - tb, alpha=alpha)
    return g.op("Gemm", dy, g.derived_constant(f"{b}:T", lambda: value.T), alpha=alpha)


def _bias(g: Graph, node: Node, dy: str) -> str:
    """C broadcasts to (M, N)."""
    c = node.inputs[2]
    dims = g.dims(c)
    large = g.dims(node.outputs[0])
    axes = [axis for axis in (0, 1) if len(dims) <= 1 - axis or dims[axis - 2 + len(dims)] == 1 != large[axis]]
    total = g.op("ReduceSum", dy, g.ints(axes), keepdims=1) if axes else dy
    beta = node.attr("beta")
    return g.reshape_like(total if beta == 1 else g.op("Mul", total, g.scalar(beta, dy)), c)
