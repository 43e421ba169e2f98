"""Candidates of the one-pixel attack: places and values of pixels as numbers in [0, 1]."""

from typing import Any

import numpy as np

__all__ = ["first_pixels", "with_pixels"]

Values = np.ndarray[Any, Any]

MEAN, DEVIATION = 128 / 255, 127 / 255
"""Of the first values (Su et al., 2019, section III.B); places are uniform."""


def first_pixels(rng: "np.random.Generator", count: int, pixels: int, channels: int) -> Values:
    """Random candidates (count, pixels * (2 + channels)): rows, columns, values, as shares of the size and the range.

    Args:
        rng: of one image.
        count: of candidates.
        pixels: of each.
        channels: values of a pixel.
    """
    places = rng.random((count, pixels, 2))
    values = rng.normal(MEAN, DEVIATION, (count, pixels, channels)).clip(0, 1)
    return np.concatenate([places, values], axis=2).reshape(count, -1)


def with_pixels(x: Values, candidates: Values, pixels: int, ranges: Values) -> Values:
    """Images with the pixels of a candidate each, as new arrays.

    Args:
        x: images (n, C, H, W).
        candidates: (n, pixels * (2 + C)); of pixels at the same place the last one counts.
        pixels: how many there are.
        ranges: (n, 2), the least and the largest value.
    """
    changed, rows = x.copy(), np.arange(len(x))
    low, high = ranges[:, :1], ranges[:, 1:]
    for one in np.moveaxis(candidates.reshape(len(x), pixels, -1), 1, 0):
        top, left = (np.minimum((one[:, n] * x.shape[2 + n]).astype(int), x.shape[2 + n] - 1) for n in range(2))
        changed[rows, :, top, left] = low + np.round(one[:, 2:] * 255) / 255 * (high - low)
    return changed
