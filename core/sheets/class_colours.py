"""Colours for classes: ten that also the colour-blind tell apart, and as many more as are asked for."""

from functools import cache
from typing import Any

import numpy as np

__all__ = ["class_colours"]

Numbers = np.ndarray[Any, Any]

_TEN = (
    (63, 144, 218), (255, 169, 14), (189, 31, 1), (148, 164, 162), (131, 45, 182),
    (169, 107, 89), (231, 99, 0), (185, 172, 112), (113, 117, 129), (146, 218, 221),
)  # fmt: skip
"""Petroff's ten (2021, https://arxiv.org/abs/2107.02270), chosen to be told apart with any kind of colour vision."""
STEPS = 16
"""Values of red, green and blue among which further colours are chosen."""
LIGHTNESS = (25.0, 85.0)
"""Of further colours, from 0 for black to 100 for white, on which they are seen."""


@cache
def class_colours(count: int) -> Numbers:
    """(count, 3), uint8: ten that the colour-blind tell apart, then each the farthest from all before it in CIELAB.

    Above about 2,000 classes colours repeat.
    """
    if count <= len(_TEN):
        return np.array(_TEN[:count], np.uint8).reshape(-1, 3)
    values = np.linspace(0, 255, STEPS).round()
    candidates = np.stack(np.meshgrid(values, values, values, indexing="ij"), axis=-1).reshape(-1, 3)
    places = _cielab(candidates)
    candidates = candidates[(places[:, 0] >= LIGHTNESS[0]) & (places[:, 0] <= LIGHTNESS[1])]
    places, chosen = _cielab(candidates), [np.array(each, float) for each in _TEN]
    far = np.min([np.linalg.norm(places - _cielab(each[None]), axis=1) for each in chosen], axis=0)
    for _ in range(min(count, len(candidates)) - len(_TEN)):
        best = int(far.argmax())
        chosen.append(candidates[best])
        far = np.minimum(far, np.linalg.norm(places - places[best], axis=1))
    return np.resize(np.array(chosen, np.uint8), (count, 3))


def _cielab(colours: Numbers) -> Numbers:
    """sRGB (N, 3), 0 to 255, as CIELAB (N, 3) under daylight D65, where distances are about what is seen."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = linear @ matrix.T / matrix.sum(axis=1)
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
