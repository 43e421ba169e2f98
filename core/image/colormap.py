"""Colour maps: numbers as colours, dark to bright for one sign, blue through white to red for both."""

from typing import Any

import numpy as np

__all__ = ["colour", "full_scale"]

Pixels = np.ndarray[Any, Any]

_HEAT = np.array(
    [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]], np.float64
)
_SIGNED = np.array([[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]], np.float64)


def full_scale(values: Pixels) -> float:
    """The magnitude at the end of a colour scale: 99.5 % of the values are less, so that one pixel hides no others."""
    return float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0


def colour(values: Pixels, limit: float | None = None, signed: bool | None = None) -> Pixels:
    """Numbers (H, W) as colours (H, W, 3), uint8.

    Values of one sign go from dark to bright; values of both from blue through white at zero to red. `limit` is the
    magnitude at the end of the scale, `full_scale` if not given; `signed` chooses the scale, the values if not given.
    """
    limit = limit or full_scale(values)
    signed = bool((values < 0).any()) if signed is None else signed
    scaled = (values / limit + 1) / 2 if signed else values / limit
    table = _SIGNED if signed else _HEAT
    places = scaled.clip(0, 1) * (len(table) - 1)
    channels = [np.interp(places, np.arange(len(table)), table[:, c]) for c in range(3)]
    return np.asarray(np.stack(channels, axis=-1).round(), np.uint8)
