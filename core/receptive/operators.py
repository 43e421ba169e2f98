"""What the outputs of the operators that all frameworks have read: windows, groups, pooling, normalisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .dependence import Dependence, united
from .indices import sliding, transposed_sliding

__all__ = ["Window", "adaptive_pool", "grouped", "normalised", "slide", "slide_transposed"]


@dataclass(frozen=True)
class Window:
    """A convolution's or pooling's window along one axis of a tensor."""

    axis: int
    outputs: int
    kernel: int
    stride: int = 1
    before: int = 0
    dilation: int = 1


def slide(x: Dependence, windows: Sequence[Window]) -> Dependence:
    """Windows over some axes, as a convolution or a pooling slides them."""
    for w in windows:
        x = x.taps(w.axis, sliding(w.outputs, w.kernel, w.stride, w.before, w.dilation), w.stride)
    return x


def slide_transposed(x: Dependence, windows: Sequence[Window]) -> Dependence:
    """Windows of a transposed convolution; `before` is what is cut off at the start."""
    for w in windows:
        x = x.taps(w.axis, transposed_sliding(w.outputs, w.kernel, w.stride, w.before, w.dilation), 1 / w.stride)
    return x


def grouped(x: Dependence, axis: int, groups: int, channels: int) -> Dependence:
    """Each of so many output channels reads all input channels of its group.

    Args:
        x: the input.
        axis: of its channels.
        groups: how many groups there are.
        channels: of the output.
    """
    if groups == 1:
        return x.mixed(axis, channels)
    size = x.shape[axis] // groups
    group = np.arange(channels) // (channels // groups)
    return x.taps(axis, group[:, None] * size + np.arange(size)[None])


def normalised(x: Dependence, axes: Sequence[int]) -> Dependence:
    """Each output reads its own place and all of some axes: softmax, and normalisation by measured moments."""
    return united([x, x.reduced(axes)], x.shape)


def group_normalised(x: Dependence, groups: int) -> Dependence:
    """Channels, axis 1, are normalised in groups, over all positions."""
    size = x.shape[1] // groups
    first = np.arange(x.shape[1]) // size * size
    moments = x.reduced(range(2, len(x.shape))).taps(1, first[:, None] + np.arange(size)[None])
    return united([x, moments], x.shape)


def adaptive_pool(x: Dependence, axis: int, outputs: int) -> Dependence:
    """Output o reads the inputs from floor(o n / outputs) to ceil((o + 1) n / outputs), as torch pools to a size."""
    n = x.shape[axis]
    if outputs == 1:
        return x.reduced([axis])
    starts = np.arange(outputs) * n // outputs
    stops = -(-(np.arange(1, outputs + 1) * n) // outputs)
    places = starts[:, None] + np.arange((stops - starts).max())[None]
    return x.taps(axis, np.minimum(places, stops[:, None] - 1), n / outputs)
