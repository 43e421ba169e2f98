"""A contact sheet: several pictures in one, in rows and columns."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np

from ..errors import ImageError

__all__ = ["GAP", "contact_sheet"]

Pixels = np.ndarray[Any, Any]


GAP = 4
"""White pixels between two pictures."""


def contact_sheet(pictures: Sequence[Pixels], gap: int = GAP) -> Pixels:
    """Pictures (H, W, 3) of one size in a grid, about square, on white.

    Raises:
        ImageError: there are none.
    """
    if not pictures:
        raise ImageError("there is no picture to draw: the result holds no image")
    if len(pictures) == 1:
        return pictures[0]
    columns = ceil(sqrt(len(pictures)))
    rows = ceil(len(pictures) / columns)
    height, width, _ = pictures[0].shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        y, x = (place // columns) * (height + gap), (place % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return sheet
