"""Discrete Fourier transforms within a gradient, in the form of the graph's opset, and their transposed."""

import numpy as np
from onnx import helper

from .graph import Graph

__all__ = ["resized", "transposed_dft", "transposed_irfft"]


def transposed_dft(g: Graph, dy: str, axis: int, length: int, *, inverse: bool) -> str:
    """What a DFT of `length` gives back: the transform the other way round, without its own factor.

    A spectrum of which only one side is there is filled up with zeros. Shapes: (..., frequencies, ..., 2) to
    (..., length, ..., 2).
    """
    other = _dft(g, resized(g, dy, axis, length), axis, inverse=not inverse)
    return g.op("Mul", other, g.scalar(1 / length if inverse else length, dy))


def transposed_irfft(g: Graph, dy: str, axis: int, length: int) -> str:
    """What an inverse DFT of one side gives back: one side of the transform; all but the ends were used twice.

    Shapes: (..., length, ..., 1) to (..., length // 2 + 1, ..., 2).
    """
    one_side = _dft(g, dy, axis, inverse=False, onesided=1)
    uses = np.full(length // 2 + 1, 2 / length)
    uses[0] /= 2
    uses[length // 2 :] /= 1 + (length % 2 == 0)
    shape = [-1 if a == axis else 1 for a in range(g.rank(dy))]
    return g.op("Mul", one_side, g.const(uses.reshape(shape), helper.tensor_dtype_to_np_dtype(g.elem(dy))))


def _dft(g: Graph, x: str, axis: int, *, inverse: bool, onesided: int | None = None) -> str:
    if g.opsets.get("", 18) < 20:
        return g.op("DFT", x, axis=axis, inverse=int(inverse), onesided=onesided)
    return g.op("DFT", x, None, g.const(axis, np.int64), inverse=int(inverse), onesided=onesided)


def resized(g: Graph, x: str, axis: int, size: int, now: int | None = None) -> str:
    """Cut to `size` along an axis, or filled up with zeros; `now` is the size of `x` if its shape is not known yet."""
    (now,) = g.sizes(x, [axis]) if now is None else (now,)
    if now > size:
        return g.op("Slice", x, g.ints([0]), g.ints([size]), g.ints([axis]))
    return x if now == size else g.op("Pad", x, g.ints([0, size - now]), None, g.ints([axis]))
