"""What normalisations share: h = (x - mean) / deviation over axes, and the way back through it."""

from ...ir.graph import Graph

__all__ = ["input_cotangent", "standardise"]


def standardise(g: Graph, x: str, axes: str, epsilon: float) -> tuple[str, str]:
    """h = (x - mean) / sqrt(variance + epsilon), and 1 / sqrt(variance + epsilon) with the axes as ones."""
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
    spread = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
    inverse = g.op("Reciprocal", g.op("Sqrt", g.op("Add", spread, g.scalar(epsilon, x))))
    return g.op("Mul", centred, inverse), inverse


def input_cotangent(g: Graph, dh: str, h: str, inverse: str, axes: str, *, centred: bool = True) -> str:
    """dx = (dh - mean(dh) - h mean(h dh)) / deviation; without mean(dh) where h was not centred (centred=False)."""
    shared = g.op("Mul", h, g.op("ReduceMean", g.op("Mul", h, dh), axes, keepdims=1))
    if centred:
        dh = g.op("Sub", dh, g.op("ReduceMean", dh, axes, keepdims=1))
    return g.op("Mul", g.op("Sub", dh, shared), inverse)
