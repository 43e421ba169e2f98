"""Colours that a printer can print, and how far those of a patch are from them.

Sharif et al. 2016 (https://doi.org/10.1145/2976749.2978392, equation 4) multiply a pixel's distances to all printable
colours. With 30 of them that product is 4e-9 to 1e-3 for nine of ten random colours, so that no weight suits all. Here,
as in Thys et al. 2019 (https://arxiv.org/abs/1904.08653), a pixel's score is the distance to the nearest, which is zero
for the same colours.
"""

from itertools import product
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy, like
from ...errors import ImageError

__all__ = ["PRINTABLE", "nonprintability"]

Numbers = np.ndarray[Any, Any]

_INKS = {
    (0, 0, 0): (255, 255, 255), (1, 0, 0): (0, 158, 227), (0, 1, 0): (230, 0, 126), (0, 0, 1): (255, 237, 0),
    (1, 1, 0): (49, 39, 131), (1, 0, 1): (0, 150, 64), (0, 1, 1): (227, 6, 19), (1, 1, 1): (55, 52, 53),
}  # fmt: skip
"""sRGB of paper and of the solid cyan, magenta and yellow of coated offset paper (FOGRA39), and of what they overprint
to."""
_BLACK = (29, 29, 27)
"""sRGB of solid black ink there."""
_COVERAGES = (0.0, 0.5, 1.0)
"""Of the three coloured inks; of black thirds."""


def _linear(srgb: Any) -> Numbers:
    c = np.asarray(srgb, np.float64) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _srgb(linear: Numbers) -> Numbers:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _printable() -> Numbers:
    """Neugebauer's equation: light is that of the overprints, weighted by the areas that they cover (Demichel)."""
    colours = []
    for coverage in product(_COVERAGES, repeat=3):
        shares = [np.prod([a if on else 1 - a for a, on in zip(coverage, inks, strict=True)]) for inks in _INKS]
        colours.append(sum(s * _linear(c) for s, c in zip(shares, _INKS.values(), strict=True)))
    colours += [(1 - a) * _linear(_INKS[0, 0, 0]) + a * _linear(_BLACK) for a in (1 / 3, 2 / 3, 1)]
    return np.asarray(_srgb(np.array(colours)))


PRINTABLE = _printable()
"""(30, 3), sRGB in [0, 1]: cyan, magenta and yellow at 0, 50 and 100 %, and black at 33, 67 and 100 %."""


def nonprintability(patch: Array, mask: Numbers) -> tuple[float, Array]:
    """The mean distance of the pixels under a mask from the nearest printable colour, and its gradient.

    Args:
        patch: (3, h, w) in [0, 1].
        mask: (h, w): the weights of the pixels in the mean.

    Returns:
        The mean, in the unit of [0, 1]^3, and the gradient (3, h, w); at a printable colour, a kink, it is 0.

    Raises:
        ImageError: the patch is not in colours.
    """
    if patch.shape[0] != len(PRINTABLE[0]):
        raise ImageError(f"printable colours are red, green and blue, and this patch has {patch.shape[0]} channels")
    x = as_numpy(patch).astype(np.float64)
    away = np.moveaxis(x, 0, -1)[:, :, None, :] - PRINTABLE
    distance = np.sqrt((away**2).sum(axis=-1))
    nearest = distance.argmin(axis=-1)[:, :, None]
    least = np.take_along_axis(distance, nearest, axis=2)[:, :, 0]
    step = np.take_along_axis(away, nearest[..., None], axis=2)[:, :, 0]
    weight = mask / mask.sum()
    slope = np.where(least > 0, weight / np.where(least > 0, least, 1.0), 0.0)
    return float((weight * least).sum()), like(np.moveaxis(slope[:, :, None] * step, -1, 0), patch)
