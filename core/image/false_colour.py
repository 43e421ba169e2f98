"""False colours: images with any number of bands, and volumes, shown in red, green and blue.

One band is shown in grey; two as red and green; of three or more the first three as red, green and blue. `bands`
chooses others, counted from 1 as a sensor's bands are: (3, 2, 1) shows the third as red. The slices of a volume stand
side by side, row by row from the first, at most `MOST_SLICES` of them, evenly spread over its depth.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from ..errors import ParameterError

__all__ = ["MOST_SLICES", "check_bands", "false_colour", "pixels", "side_by_side"]

Values = np.ndarray[Any, Any]

MOST_SLICES = 36
"""Slices of a volume that a picture shows."""


def check_bands(bands: Sequence[int] | None, channels: int) -> None:
    """Refuse bands that these images do not have.

    Raises:
        ParameterError: with how many there are.
    """
    if bands is None:
        return
    if len(bands) not in {1, 3} or not all(1 <= band <= channels for band in bands):
        raise ParameterError(
            f"bands are {tuple(bands)}; give one (grey) or three (red, green, blue) of 1 to {channels}, the images' "
            "channels counted from 1"
        )


def false_colour(image: Values, bounds: tuple[float, float] = (0.0, 1.0), bands: Sequence[int] | None = None) -> Values:
    """An image (C, H, W) or volume (C, D, H, W) within `bounds` as red, green and blue, (3, ...), in [0, 1].

    Raises:
        ParameterError: bands that it does not have.
    """
    check_bands(bands, image.shape[0])
    low, high = bounds
    unit = (image if (low, high) == (0.0, 1.0) else (image - low) / (high - low)).clip(0, 1)
    if bands is not None:
        unit = unit[[band - 1 for band in bands]]
    if unit.shape[0] == 1:
        return np.asarray(unit.repeat(3, axis=0))
    return np.concatenate([unit, np.zeros_like(unit[:1])]) if unit.shape[0] == 2 else unit[:3]


def side_by_side(volume: Values) -> Values:
    """Slices (..., D, H, W) as one picture (..., rows * H, columns * W), about square; empty places hold 0."""
    depth, height, width = volume.shape[-3:]
    if depth > MOST_SLICES:
        volume = volume[..., np.linspace(0, depth - 1, MOST_SLICES).round().astype(int), :, :]
    count = volume.shape[-3]
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    front = volume.shape[:-3]
    full = np.zeros((*front, rows * columns, height, width), volume.dtype)
    full[..., :count, :, :] = volume
    grid = full.reshape(*front, rows, columns, height, width).swapaxes(-3, -2)
    return np.asarray(grid.reshape(*front, rows * height, columns * width))


def pixels(image: Values, bounds: tuple[float, float] = (0.0, 1.0), bands: Sequence[int] | None = None) -> Values:
    """An image or volume as `false_colour` shows it, (H, W, 3), uint8; a volume's slices side by side."""
    rgb = false_colour(image, bounds, bands)
    rgb = side_by_side(rgb) if rgb.ndim == 4 else rgb
    return np.asarray((np.moveaxis(rgb, 0, -1) * 255).round(), np.uint8)
