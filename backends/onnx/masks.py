"""Masks for piecewise operators: ones and zeros of the element type of what they multiply."""

from .graph import BOOL, Graph

__all__ = ["between", "positive"]


def positive(g: Graph, x: str) -> str:
    """1 where x > 0, else 0."""
    return g.op("Cast", g.op("Greater", x, g.scalar(0, x)), to=g.elem(x))


def between(g: Graph, y: str, low: float, high: float) -> str:
    """1 where low < y < high, else 0, for a tensor that never leaves these bounds."""
    above = g.op("Cast", y, to=BOOL) if low == 0 else g.op("Greater", y, g.scalar(low, y))
    return g.op("Cast", g.op("And", above, g.op("Less", y, g.scalar(high, y))), to=g.elem(y))
