"""BatchNormalization at inference: y = scale (x - mean) / sqrt(variance + epsilon) + offset, so dx = gain dy.

Scale, offset, mean and variance that are computed (conditional normalisation) get theirs too: the mean -gain dy, the
variance -gain (x - mean) / (2 (variance + epsilon)) dy, summed over all but the channels.
"""

import numpy as np

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("BatchNormalization", since=14)
def batch_normalization(g: Graph, node: Node, dy: str, *_: str | None) -> Cotangents:
    """One product by a constant folded ahead of time."""
    x, scale, _offset, mean, variance = node.inputs
    rank = g.rank(x)
    inverse = _inverse(g, variance, node.attr("epsilon"), rank)
    dx = g.op("Mul", dy, _gain(g, scale, inverse, variance, rank))
    axes = g.ints([0, *range(2, rank)])
    dscale = doffset = dmean = dvariance = None
    if node.needs_gradient[1] or node.needs_gradient[4]:
        centred = g.op("Mul", g.op("Sub", x, _column(g, mean, rank)), inverse)
        dscale = g.op("ReduceSum", g.op("Mul", dy, centred), axes, keepdims=0)
        if node.needs_gradient[4]:
            square = g.op("Reshape", g.op("Mul", inverse, inverse), g.ints([-1]))
            dvariance = g.op("Mul", g.op("Mul", dscale, scale), g.op("Mul", square, g.scalar(-0.5, x)))
    if node.needs_gradient[2]:
        doffset = g.op("ReduceSum", dy, axes, keepdims=0)
    if node.needs_gradient[3]:
        dmean = g.op("Neg", g.op("ReduceSum", dx, axes, keepdims=0))
    return [dx, dscale, doffset, dmean, dvariance]


def _column(g: Graph, name: str, rank: int) -> str:
    """(C,) as (C, 1, ...)."""
    value, shape = g.value(name), (-1, *(1,) * (rank - 2))
    if value is None:
        return g.op("Reshape", name, g.ints(shape))
    return g.derived_constant(f"{name}:column{rank}", lambda: value.reshape(shape))


def _inverse(g: Graph, variance: str, epsilon: float, rank: int) -> str:
    value = g.value(variance)
    if value is None:
        one = g.op("Add", _column(g, variance, rank), g.scalar(epsilon, variance))
        return g.op("Reciprocal", g.op("Sqrt", one))
    shape = (-1, *(1,) * (rank - 2))
    return g.derived_constant(
        f"{variance}:inverse{rank}:{epsilon}",
        lambda: (1 / np.sqrt(value.astype(np.float64) + epsilon)).astype(value.dtype).reshape(shape),
    )


def _gain(g: Graph, scale: str, inverse: str, variance: str, rank: int) -> str:
    a, b = g.value(scale), g.value(inverse)
    if a is None or b is None:
        return g.op("Mul", _column(g, scale, rank), inverse)
    return g.derived_constant(f"{scale}:gain:{inverse}", lambda: a.reshape(b.shape) * b)
