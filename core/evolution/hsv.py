"""Colours from hue, saturation and value."""

from typing import Any, TypeAlias

import numpy as np

__all__ = ["rgb_of_hsv"]

Values: TypeAlias = np.ndarray[Any, Any]


def rgb_of_hsv(hsv: Values) -> Values:
    """Red, green and blue (B, 3, H, W) of hue, saturation and value, all in [0, 1]; as `colorsys.hsv_to_rgb`."""
    hue, saturation, value = (hsv[:, n : n + 1] for n in range(3))
    sector = (hue * 6 + np.asarray([5, 3, 1], hsv.dtype)[None, :, None, None]) % 6
    share = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return np.asarray(value - value * saturation * share)
