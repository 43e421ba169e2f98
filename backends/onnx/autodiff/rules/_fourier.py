"""Adjoints of discrete Fourier transforms, in the form of the graph's opset."""

import numpy as np
from onnx import helper

from ...ir.graph import Graph
from ._zero_padding import pad_zeros

__all__ = ["resize", "transposed_dft", "transposed_irfft"]


def transposed_dft(g: Graph, dy: str, y: str, axis: int, length: int, *, inverse: bool) -> str:
    """The adjoint of a DFT: the transform in the other direction, without its factor 1 / length.

    Args:
        g: the graph to append to.
        dy: the cotangent, (..., frequencies, ..., 2); a one-sided spectrum is padded with zeros.
        y: the output of the DFT.
        axis: of the transform.
        length: of the transform.
        inverse: whether y is an inverse transform.

    Returns:
        The cotangent of the input, (..., length, ..., 2).
    """
    other = _dft(g, resize(g, dy, g.rank(y), axis, length, g.sizes(y, [axis])[0]), axis, inverse=not inverse)
    return g.op("Mul", other, g.scalar(1 / length if inverse else length, y))


def transposed_irfft(g: Graph, dy: str, y: str, axis: int, length: int) -> str:
    """The adjoint of an inverse DFT of a one-sided spectrum, whose values all count twice but the first and the last.

    Args:
        g: the graph to append to.
        dy: the cotangent, (..., length, ..., 1).
        y: the output of the transform.
        axis: of the transform.
        length: of the transform.

    Returns:
        The cotangent of the spectrum, (..., length // 2 + 1, ..., 2).
    """
    one_side = _dft(g, dy, axis, inverse=False, onesided=1)
    uses = np.full(length // 2 + 1, 2 / length)
    uses[0] /= 2
    uses[length // 2 :] /= 1 + (length % 2 == 0)
    shape = [-1 if a == axis else 1 for a in range(g.rank(y))]
    return g.op("Mul", one_side, g.const(uses.reshape(shape), helper.tensor_dtype_to_np_dtype(g.elem(y))))


def _dft(g: Graph, x: str, axis: int, *, inverse: bool, onesided: int | None = None) -> str:
    if g.opsets.get("", 18) < 20:
        return g.op("DFT", x, axis=axis, inverse=int(inverse), onesided=onesided)
    return g.op("DFT", x, None, g.const(axis, np.int64), inverse=int(inverse), onesided=onesided)


def resize(g: Graph, x: str, rank: int, axis: int, size: int, now: int) -> str:
    """Crop or zero-pad x (of `rank` axes) along `axis` from the size `now` to `size`."""
    return pad_zeros(g, x, rank, {axis: (0, size - now)})
