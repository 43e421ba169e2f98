"""Masks of piecewise operators, from their output: comparisons to bool, a cast, a product.

Tried and slower on EfficientNet-Lite0 (onnxruntime 1.31.1, AVX2): a 1x1 convolution by 2^124 clipped to [0, 1], which
stays in onnxruntime's blocked layout (51 ms a gradient against 41); Where instead of cast and product (equal).
"""

from ...ir.graph import BOOL, Graph

__all__ = ["between"]


def between(g: Graph, y: str, low: float, high: float | None) -> str:
    """1 where low < y < high, else 0, for a tensor that never leaves these bounds; high None for no upper bound."""
    above = g.op("Cast", y, to=BOOL) if low == 0 else g.op("Greater", y, g.scalar(low, y))
    mask = above if high is None else g.op("And", above, g.op("Less", y, g.scalar(high, y)))
    return g.op("Cast", mask, to=g.elem(y))
