"""Which positions of the input each output of an operator reads along one axis, as `Dependence.taps` takes them."""

from typing import Any

import numpy as np

from .dependence import NOWHERE, Indices

__all__ = ["padded", "resized", "sliding", "transposed_sliding"]


def sliding(outputs: int, kernel: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Indices:
    """A convolution or pooling, (outputs, kernel): output o reads o * stride - before + dilation * k.

    Args:
        outputs: how many there are.
        kernel: taps of the window.
        stride: positions between windows.
        before: padding before the first position.
        dilation: positions between taps.

    >>> sliding(2, 3, stride=2, before=1).tolist()
    [[-1, 0, 1], [1, 2, 3]]
    """
    return np.arange(outputs)[:, None] * stride - before + dilation * np.arange(kernel)[None]


def transposed_sliding(outputs: int, kernel: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Indices:
    """A transposed convolution, (outputs, kernel): input i is added to outputs i * stride - before + dilation * k.

    Args:
        outputs: how many there are.
        kernel: taps of the window.
        stride: outputs between inputs.
        before: outputs cut off at the start.
        dilation: outputs between taps.
    """
    places = np.arange(outputs)[:, None] + before - dilation * np.arange(kernel)[None]
    return np.where(places % stride == 0, places // stride, NOWHERE)


def padded(length: int, before: int, after: int, mode: str = "constant") -> Indices:
    """Padding of an axis, (outputs, 1); negative numbers crop.

    Args:
        length: of the axis.
        before: new positions in front.
        after: new positions behind.
        mode: "constant", "reflect", "symmetric" (with the edge), "edge" or "wrap".
    """
    places = np.arange(-before, length + after)
    if mode == "reflect" and length > 1:
        places = np.abs((places + length - 1) % (2 * length - 2) - (length - 1))
    elif mode == "symmetric":
        places = places % (2 * length)
        places = np.minimum(places, 2 * length - 1 - places)
    elif mode == "wrap":
        places = places % length
    elif mode != "constant":
        places = np.clip(places, 0, length - 1)
    return places[:, None]


def resized(weights: Any) -> Indices:
    """A resizing along an axis by its matrix of weights (outputs, inputs): each output reads where it is not 0."""
    matrix = np.abs(np.asarray(weights)) > 1e-9
    rows = [np.flatnonzero(row) for row in matrix]
    most = max(1, *(len(row) for row in rows))
    return np.stack([np.pad(row, (0, most - len(row)), constant_values=NOWHERE) for row in rows])
