"""Where a convolution's windows start: found by computing it with each padding that it may have."""

from collections.abc import Iterable
from itertools import product

import numpy as np

from ..arrays import as_numpy
from ..model.base import INPUT
from .matcher import Pair, Twins
from .similarity import Values, agreement

__all__ = ["window_starts"]

FITS = 1e-3
"""Relative L2 difference up to which a computed convolution is the one that was seen."""
LOOKED_AT = 4
"""Output channels that are computed."""
READ = 6
"""Layers before a convolution among which its input is looked for."""

Start = tuple[int, int]


def window_starts(
    twins: Twins, before: Iterable[Pair], pair: Pair, want: Values, got: Values
) -> tuple[Start, Start] | None:
    """(rows, columns) of zeros before the map for either network, where both compute with one kernel.

    Args:
        twins: the two networks.
        before: the pairs before this one; the input is one of the last, or the image.
        pair: the convolution, on either side with its normalisation folded in or not.
        want, got: what each makes of the same input, (N, C, H, W).
    """
    held = next((w for m, n in ((twins.b, pair.b), (twins.a, pair.a)) if "kernel" in (w := m.weights(n))), None)
    if held is None or as_numpy(held["kernel"]).ndim != 4 or want.ndim != 4:
        return None
    kernel = as_numpy(held["kernel"]).astype(np.float64)
    bias = as_numpy(held["bias"]) if "bias" in held else np.zeros(len(kernel))
    for x in _inputs(twins, before):
        if x.ndim == 4 and x.shape[1] % kernel.shape[1] == 0 and _strided(x, want):
            found = [_start(x, kernel, bias, y) for y in (want, got)]
            if found[0] is not None and found[1] is not None:
                return found[0], found[1]
    return None


def _inputs(twins: Twins, before: Iterable[Pair]) -> Iterable[Values]:
    """What the layer may read, the nearest first: a matched layer before it, or the preprocessed image."""
    yield from (twins.of_a[pair.a] for pair in list(before)[: -READ - 1 : -1] if pair.a != INPUT)
    x, preprocess = as_numpy(twins.x), twins.a.preprocess
    gain, offset = preprocess.along(x)
    yield gain * (x[:, ::-1] if preprocess.reverses else x) + offset


def _strided(x: Values, y: Values) -> bool:
    return all(n >= m > 0 for n, m in zip(x.shape[2:], y.shape[2:], strict=True))


def _start(x: Values, kernel: Values, bias: Values, y: Values) -> Start | None:
    """The padding above and to the left under which the convolution of `x` is `y`, on one image and few channels."""
    size, strides = kernel.shape[2:], [max(1, round(n / m)) for n, m in zip(x.shape[2:], y.shape[2:], strict=True)]
    padded = np.pad(
        x[:1].astype(np.float64), ((0, 0), (0, 0), *((k, k + s) for k, s in zip(size, strides, strict=True)))
    )
    for start in sorted(product(*map(range, size)), key=lambda s: (s[0] != s[1], s)):
        made = _convolved(padded, kernel, [k - s for k, s in zip(size, start, strict=True)], strides, y.shape[2:])
        few = made.shape[1]
        if agreement(y[:1, :few], made + bias[None, :few, None, None])[1] < FITS:
            return start[0], start[1]
    return None


def _convolved(x: Values, kernel: Values, origin: list[int], strides: list[int], size: tuple[int, ...]) -> Values:
    """The first few output channels, tap by tap."""
    groups = x.shape[1] // kernel.shape[1]
    per_group = max(1, len(kernel) // groups)
    made = []
    for channel in range(min(LOOKED_AT, len(kernel))):
        first = channel // per_group * kernel.shape[1]
        read = x[:, first : first + kernel.shape[1]]
        total = np.zeros((len(x), *size))
        for i, j in product(*map(range, kernel.shape[2:])):
            rows = slice(origin[0] + i, origin[0] + i + strides[0] * (size[0] - 1) + 1, strides[0])
            columns = slice(origin[1] + j, origin[1] + j + strides[1] * (size[1] - 1) + 1, strides[1])
            total += np.einsum("nchw,c->nhw", read[:, :, rows, columns], kernel[channel, :, i, j])
        made.append(total)
    return np.stack(made, axis=1)
