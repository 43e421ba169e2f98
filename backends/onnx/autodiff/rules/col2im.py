"""Col2Im: columns of blocks are added up in an image, so dx cuts dy into blocks: a Conv by one-hot kernels."""

from math import prod
from typing import Any

import numpy as np

from ...ir.graph import FLOAT, DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp


@vjp("Col2Im", since=18)
def col2im(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C * prod(block), L), dy (N, C, *image)."""
    x = node.inputs[0]
    block = g.value(node.inputs[2])
    if block is None:
        raise DynamicShapeError(f"{node.name!r} has blocks of a size that is computed")
    size = tuple(int(b) for b in block)
    channels = g.sizes(x, [1])[0] // prod(size)
    kernel = g.derived_constant(f"blocks:{channels}:{size}", lambda: _one_hot(channels, size))
    kernel = kernel if g.elem(x) == FLOAT else g.op("Cast", kernel, to=g.elem(x))
    rank = len(size)
    how: dict[str, Any] = {
        "dilations": node.attr("dilations", (1,) * rank),
        "pads": node.attr("pads", (0,) * (2 * rank)),
        "strides": node.attr("strides", (1,) * rank),
    }
    return [g.reshape_like(g.op("Conv", dy, kernel, group=channels, **how), x), None, None]


def _one_hot(channels: int, size: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """(C * prod(size), 1, *size): for each channel, one kernel per place in the block."""
    places = np.eye(prod(size), dtype=np.float32).reshape(prod(size), 1, *size)
    return np.tile(places, (channels, *(1,) * (len(size) + 1)))
