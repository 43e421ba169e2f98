"""Wrong padding: another border, or sliding windows that start elsewhere, shown by computing the convolution again."""

from collections.abc import Iterable
from itertools import product

import numpy as np

from ..arrays import as_numpy
from ..model.base import INPUT
from .layer_family import layer_family
from .similarity import Values, relative_l2
from .suspect import Cause, Suspect

__all__ = ["padding_fault", "window_starts"]

EQUAL = 1e-3
"""Relative L2 difference up to which a convolution computed here is the network's."""
MOST_CHANNELS = 4
"""Number of output channels that are computed."""
MOST_INPUTS = 6
"""Number of layers before a convolution among which its input is looked for."""

Start = tuple[int, int]
"""(rows, columns) of zeros before the map."""


def padding_fault(suspect: Suspect) -> Cause | None:
    """Whether a convolution or pooling has the same weights, but another border or other starts of its windows."""
    if suspect.expected.ndim != 4 or not _has_windows(suspect):
        return None
    layer = suspect.window_layer or suspect.pair.a
    height, width = suspect.expected.shape[2:]
    rim = max(1, min(height, width) // 4)
    inside = (slice(None), slice(None), slice(rim, height - rim), slice(rim, width - rim))
    if height > 2 and width > 2 and suspect.is_explained_by(suspect.expected[inside], suspect.actual[inside]):
        text = "wrong padding: the maps differ along the border only, inside they agree"
        return Cause("padding", text, layer)
    starts = window_starts(suspect)
    if starts is None or starts[0] == starts[1]:
        return None
    text = (
        f"wrong padding: {starts[1][0]} rows above and {starts[1][1]} columns to the left, the reference has "
        f"{starts[0][0]} and {starts[0][1]}; with the same weights and input that gives its values"
    )
    return Cause("padding", text, layer)


def _has_windows(suspect: Suspect) -> bool:
    """Whether a convolution or pooling is among the layers, or is the pair in the second network's words."""
    if suspect.window_layer is not None:
        return True
    in_b = layer_family(suspect.models.b.layers[suspect.pair.b].kind)
    return not suspect.family(suspect.pair.a) and in_b in {"convolution", "pooling"}


def window_starts(suspect: Suspect) -> tuple[Start, Start] | None:
    """Where the windows start in either network, if both compute with one kernel; None if no padding gives the values.

    The convolution may have its normalisation folded in, on either side. Its input is one of the last matched layers,
    or the image.
    """
    models, pair = suspect.models, suspect.pair
    sides = ((models.b, pair.b), (models.a, pair.a))
    weights = next((w for model, layer in sides if "kernel" in (w := model.weights(layer))), None)
    if weights is None or as_numpy(weights["kernel"]).ndim != 4 or suspect.expected.ndim != 4:
        return None
    kernel = as_numpy(weights["kernel"]).astype(np.float64)
    bias = as_numpy(weights["bias"]) if "bias" in weights else np.zeros(len(kernel))
    for x in _inputs(suspect):
        if x.ndim == 4 and x.shape[1] % kernel.shape[1] == 0 and _may_be_strided(x, suspect.expected):
            first, second = (_start(x, kernel, bias, y) for y in (suspect.expected, suspect.actual))
            if first is not None and second is not None:
                return first, second
    return None


def _inputs(suspect: Suspect) -> Iterable[Values]:
    """What the layer may read, the nearest first: a matched layer before it, or the preprocessed image."""
    models = suspect.models
    yield from (models.of_a[pair.a] for pair in suspect.before[: -MOST_INPUTS - 1 : -1] if pair.a != INPUT)
    x, preprocess = as_numpy(models.x), models.a.preprocess
    gain, offset = preprocess.along(x)
    yield gain * (x[:, ::-1] if preprocess.reverses else x) + offset


def _may_be_strided(x: Values, y: Values) -> bool:
    """Whether maps `y` are no larger than maps `x`, as of a convolution with some stride."""
    return all(n >= m > 0 for n, m in zip(x.shape[2:], y.shape[2:], strict=True))


def _start(x: Values, kernel: Values, bias: Values, y: Values) -> Start | None:
    """The padding above and to the left with which the convolution of `x` is `y`, on one image and few channels."""
    size, strides = kernel.shape[2:], [max(1, round(n / m)) for n, m in zip(x.shape[2:], y.shape[2:], strict=True)]
    padded = np.pad(
        x[:1].astype(np.float64), ((0, 0), (0, 0), *((k, k + s) for k, s in zip(size, strides, strict=True)))
    )
    for start in sorted(product(*map(range, size)), key=lambda s: (s[0] != s[1], s)):
        origin = [k - s for k, s in zip(size, start, strict=True)]
        maps = _convolution(padded, kernel, origin, strides, y.shape[2:])
        few = maps.shape[1]
        if relative_l2(y[:1, :few], maps + bias[None, :few, None, None]) < EQUAL:
            return start[0], start[1]
    return None


def _convolution(x: Values, kernel: Values, origin: list[int], strides: list[int], size: tuple[int, ...]) -> Values:
    """The first few output channels, one element of the kernel after the other."""
    groups = x.shape[1] // kernel.shape[1]
    per_group = max(1, len(kernel) // groups)
    channels = []
    for channel in range(min(MOST_CHANNELS, len(kernel))):
        first = channel // per_group * kernel.shape[1]
        read = x[:, first : first + kernel.shape[1]]
        total = np.zeros((len(x), *size))
        for i, j in product(*map(range, kernel.shape[2:])):
            rows = slice(origin[0] + i, origin[0] + i + strides[0] * (size[0] - 1) + 1, strides[0])
            columns = slice(origin[1] + j, origin[1] + j + strides[1] * (size[1] - 1) + 1, strides[1])
            total += np.einsum("nchw,c->nhw", read[:, :, rows, columns], kernel[channel, :, i, j])
        channels.append(total)
    return np.stack(channels, axis=1)
