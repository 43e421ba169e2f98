"""DFT: y = F x along an axis, linear in real and imaginary part, so dx = F* dy, which is the DFT the other way round.

The imaginary part of a real signal gets nothing, what was filled up with zeros is cut off, what was cut off gets 0.
"""

import numpy as np

from ...ir.graph import DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp
from ._fourier import resize, transposed_dft, transposed_irfft


@vjp("DFT", since=17)
def dft(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (..., n, ..., 1 or 2), dy (..., frequencies, ..., 1 or 2)."""
    x, (y,), rank = node.inputs[0], node.outputs, g.rank(node.inputs[0])
    inverse, onesided = bool(node.attr("inverse", 0)), bool(node.attr("onesided", 0))
    axis = _number(g, node, 2, node.attr("axis", -2)) % rank
    size, parts = g.sizes(x, [axis, rank - 1])
    length = _number(g, node, 1, 2 * (size - 1) if inverse and onesided else size)
    if inverse and onesided:
        return [resize(g, transposed_irfft(g, dy, y, axis, length), rank, axis, size, length // 2 + 1), None, None][
            : len(node.inputs)
        ]
    dx = resize(g, transposed_dft(g, dy, y, axis, length, inverse=inverse), rank, axis, size, length)
    dx = g.op("Slice", dx, g.ints([0]), g.ints([1]), g.ints([rank - 1])) if parts == 1 else dx
    return [dx, None, None][: len(node.inputs)]


def _number(g: Graph, node: Node, position: int, default: int) -> int:
    """An input that holds one number, which must be known ahead."""
    value = g.value(node.inputs[position]) if node.has(position) else np.array(default)
    if value is None:
        raise DynamicShapeError(f"{node.name!r} has a computed length or axis")
    return int(value.reshape(()))
