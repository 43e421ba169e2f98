"""Wrong padding: another border, or sliding windows that start elsewhere, shown by computing the convolution again."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import numpy as np

from ..arrays import as_numpy
from ..model.base import INPUT
from .layer_family import layer_family
from .similarity import Values, relative_l2
from .suspect import Cause, Suspect

__all__ = ["padding_fault", "window_starts"]

Start = tuple[int, int]
"""(rows, columns) of zeros before the map."""


class Windows(NamedTuple):
    """Sliding windows over maps of one size, which start elsewhere in the two networks."""

    starts: tuple[Start, Start]
    sizes: tuple[int, int]
    """Of the maps that they slide over."""
    kernel: tuple[int, int]
    strides: tuple[int, int]

    def is_same_padding(self, start: Start) -> bool:
        """Whether TensorFlow's padding="same" starts here, with more padding after than before."""
        axes = list(zip(self.sizes, self.kernel, self.strides, start, strict=True))
        total = [max((-(-n // step) - 1) * step + k - n, 0) for n, k, step, _ in axes]
        return all(before == t // 2 for t, (*_, before) in zip(total, axes, strict=True)) and any(t % 2 for t in total)


EQUAL = 1e-3
"""Relative L2 difference up to which a convolution computed here is the network's."""
MOST_CHANNELS = 4
"""Number of output channels that are computed."""
MOST_WINDOW = 7
"""Largest side of the windows of a pooling that are tried."""
MOST_INPUTS = 6
"""Number of layers before a convolution among which its input is looked for."""


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
    windows = _convolution_windows(suspect) or _pooling_windows(suspect)
    if windows is None or windows.starts[0] == windows.starts[1]:
        return None
    first, second = windows.starts
    text = (
        f"wrong padding: {second[0]} rows above and {second[1]} columns to the left, the reference has "
        f"{first[0]} and {first[1]}; with the same weights and input that gives its values{_advice(windows)}"
    )
    return Cause("padding", text, layer)


def _advice(windows: Windows) -> str:
    """What to do where one network pads as TensorFlow's "same" does and the other on both sides."""
    (first, second), strides = windows.starts, windows.strides
    by = f"at stride {max(strides)}, padding='same' of TensorFlow pads more after the maps than before"
    if windows.is_same_padding(second) and max(strides) > 1:
        return (
            f". A{by[1:]}; the reference pads {first[0]} and {first[1]} on both sides: put "
            f"ZeroPadding2D({first}) before, and padding='valid'"
        )
    if windows.is_same_padding(first) and max(strides) > 1:
        return f". The reference does as padding='same': {by}; pad the input so (torch: F.pad), and padding=0 here"
    return ""


def _has_windows(suspect: Suspect) -> bool:
    """Whether a convolution or pooling is among the layers, or is the pair in the second network's words."""
    if suspect.window_layer is not None:
        return True
    in_b = layer_family(suspect.models.b.layers[suspect.pair.b].kind)
    return not suspect.family(suspect.pair.a) and in_b in {"convolution", "pooling"}


def window_starts(suspect: Suspect) -> tuple[Start, Start] | None:
    """Where the windows of a convolution start in either network, if one kernel gives both; None if it does not."""
    windows = _convolution_windows(suspect)
    return None if windows is None else windows.starts


def _convolution_windows(suspect: Suspect) -> Windows | None:
    """The windows of a convolution whose values some padding gives, in either network; None if none does.

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
                return _windows(x, suspect.expected, (kernel.shape[2], kernel.shape[3]), (first, second))
    return None


def _windows(x: Values, y: Values, kernel: tuple[int, int], starts: tuple[Start, Start]) -> Windows:
    return Windows(starts, (x.shape[2], x.shape[3]), kernel, _strides(x, y))


def _strides(x: Values, y: Values) -> tuple[int, int]:
    rows, columns = (max(1, round(n / m)) for n, m in zip(x.shape[2:], y.shape[2:], strict=True))
    return rows, columns


def _pooling_windows(suspect: Suspect) -> Windows | None:
    """The same for pooling, whose windows no network shows: square ones of some size, their largest value or mean."""
    if "pooling" not in {suspect.family(name) for name in (suspect.window_layer, suspect.pair.a) if name}:
        return None
    for x in _inputs(suspect):
        if x.ndim != 4 or x.shape[1] != suspect.expected.shape[1] or not _may_be_strided(x, suspect.expected):
            continue
        for size, reduce in product(range(2, MOST_WINDOW + 1), (np.fmax, np.add)):
            first, second = (_pooling_start(x, size, reduce, y) for y in (suspect.expected, suspect.actual))
            if first is not None and second is not None:
                return _windows(x, suspect.expected, (size, size), (first, second))
    return None


def _pooling_start(x: Values, size: int, reduce: np.ufunc, y: Values) -> Start | None:
    """The padding above and to the left with which pooling `x` gives `y`, on one image and few channels.

    What lies outside the maps counts for neither the largest value nor the mean.
    """
    strides, few = _strides(x, y), min(MOST_CHANNELS, x.shape[1])
    widths = [(size, size + stride) for stride in strides]
    padded = np.pad(x[:1, :few].astype(np.float64), ((0, 0), (0, 0), *widths), constant_values=np.nan)
    for start in sorted(product(range(size), repeat=2), key=lambda s: (s[0] != s[1], s)):
        parts = np.stack([
            padded[:, :, rows, columns]
            for i, j in product(range(size), repeat=2)
            for rows, columns in [
                tuple(
                    slice(size - s + k, size - s + k + step * (n - 1) + 1, step)
                    for s, k, step, n in zip(start, (i, j), strides, y.shape[2:], strict=True)
                )
            ]
        ])  # fmt: skip
        counts = (~np.isnan(parts)).sum(axis=0)
        whole = parts if reduce is np.fmax else np.nan_to_num(parts)
        pooled = reduce.reduce(whole, axis=0) / (1 if reduce is np.fmax else np.maximum(counts, 1))
        if counts.all() and relative_l2(y[:1, :few], pooled) < EQUAL:
            return start[0], start[1]
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
    size, strides = kernel.shape[2:], _strides(x, y)
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


def _convolution(
    x: Values, kernel: Values, origin: list[int], strides: tuple[int, int], size: tuple[int, ...]
) -> Values:
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
