"""Standardisation, h = (x - mean) / deviation over axes, and its derivative, for all normalisations."""

from ...ir.graph import Graph

__all__ = ["input_cotangent", "standardise"]


def standardise(g: Graph, x: str, axes: str, epsilon: float) -> tuple[str, str]:
    """h = (x - mean) / sqrt(variance + epsilon), and 1 / sqrt(variance + epsilon) with the axes as ones."""
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
    spread = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
    inverse = g.op("Reciprocal", g.op("Sqrt", g.op("Add", spread, g.scalar(epsilon, x))))
    return g.op("Mul", centred, inverse), inverse


def input_cotangent(g: Graph, dh: str, h: str, inverse: str, axes: str, *, centred: bool = True) -> str:
    """dx = (dh - mean(dh) - h mean(h dh)) / deviation.

    Args:
        g: the graph to append to.
        dh: the cotangent of h.
        h: the standardised x.
        inverse: 1 / deviation.
        axes: of the mean, a constant tensor.
        centred: whether h had its mean subtracted; if not, the term mean(dh) is left out.
    """
    shared = g.op("Mul", h, g.op("ReduceMean", g.op("Mul", h, dh), axes, keepdims=1))
    if centred:
        dh = g.op("Sub", dh, g.op("ReduceMean", dh, axes, keepdims=1))
    return g.op("Mul", g.op("Sub", dh, shared), inverse)
