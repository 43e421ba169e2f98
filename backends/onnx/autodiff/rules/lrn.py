"""LRN: y = x s^-beta, s = bias + alpha / size W x^2, where W sums over a window of neighbouring channels.

dx = dy s^-beta - 2 alpha beta / size x W'(dy y / s). W is a 1x1 convolution by a banded matrix: it beat LRN's window
as a pooling over transposed channels. Krizhevsky et al. 2012, section 3.3.
"""

from typing import Any

import numpy as np

from ...ir.graph import FLOAT, Graph, Node
from ..registry import Cotangents, vjp

__all__ = ["lrn_denominator", "lrn_windows"]


@vjp("LRN")
def lrn(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x, y, dy (N, C, *in)."""
    x, (y,) = node.inputs[0], node.outputs
    size, beta = node.attr("size"), node.attr("beta")
    share = node.attr("alpha") / size
    kernels = lrn_windows(g, node)
    s = _window_sum(g, node, kernels[0])
    direct = g.op("Mul", dy, g.op("Pow", s, g.scalar(-beta, x)))
    back = g.op("Conv", g.op("Div", g.op("Mul", dy, y), s), kernels[1])
    return [g.op("Sub", direct, g.op("Mul", g.op("Mul", x, back), g.scalar(2 * share * beta, x)))]


def lrn_denominator(g: Graph, node: Node) -> tuple[str, str]:
    """s and s^beta."""
    s = _window_sum(g, node, lrn_windows(g, node)[0])
    return s, g.op("Pow", s, g.scalar(node.attr("beta"), node.inputs[0]))


def _window_sum(g: Graph, node: Node, kernel: str) -> str:
    """s."""
    x = node.inputs[0]
    around = g.op("Conv", g.op("Mul", x, x), kernel)
    scaled = g.op("Mul", around, g.scalar(node.attr("alpha") / node.attr("size"), x))
    return g.op("Add", scaled, g.scalar(node.attr("bias"), x))


def lrn_windows(g: Graph, node: Node) -> tuple[str, str]:
    """W and its transpose as kernels of 1x1 convolutions."""
    x, size = node.inputs[0], node.attr("size")
    (channels,), ones = g.sizes(x, [1]), (1,) * (g.rank(x) - 2)
    band = _band(channels, size).reshape(channels, channels, *ones)
    name = f"band:{channels}:{size}:{len(ones)}"
    made = (g.derived_constant(name, lambda: band), g.derived_constant(f"{name}:turned", lambda: band.swapaxes(0, 1)))
    first, second = (one if g.elem(x) == FLOAT else g.op("Cast", one, to=g.elem(x)) for one in made)
    return first, second


def _band(channels: int, size: int) -> np.ndarray[Any, Any]:
    """(C, C): row c is 1 from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2)."""
    offset = np.arange(channels) - np.arange(channels)[:, None]
    return ((offset >= -((size - 1) // 2)) & (offset <= size // 2)).astype(np.float32)
