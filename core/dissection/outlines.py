"""A picture with a unit's mask: what lies outside is darkened, the mask and the labels of a concept are outlined."""

from typing import Any

import numpy as np
from PIL import Image

from ..sheets.cut_out import shrunk

__all__ = ["LABEL_COLOUR", "MASK_COLOUR", "outlined"]

Pixels = np.ndarray[Any, Any]
MASK_COLOUR, LABEL_COLOUR = (255, 230, 0), (0, 220, 255)
OUTSIDE = 0.45
"""Of the brightness, that is left outside the mask."""
SIDE = 128
"""Pixels of the longer side; smaller pictures are enlarged by a whole factor, so that lines are thin."""


def outlined(pixels: Pixels, mask: Pixels, labels: Pixels) -> Pixels:
    """A picture (H, W, 3), uint8, with masks of any size over it.

    Args:
        pixels: the picture.
        mask: (h, w) of truth values, of the unit.
        labels: (h, w), of the concept.
    """
    factor = max(1, SIDE // max(pixels.shape[:2]))
    drawn = shrunk(pixels.repeat(factor, axis=0).repeat(factor, axis=1), SIDE)
    inside, concept = (_fitted(each, drawn.shape[:2]) for each in (mask, labels))
    drawn = np.where(inside[..., None], drawn, (drawn * OUTSIDE).astype(np.uint8))
    drawn[_edge(concept)] = LABEL_COLOUR
    drawn[_edge(inside)] = MASK_COLOUR
    return np.asarray(drawn)


def _fitted(mask: Pixels, size: tuple[int, ...]) -> Pixels:
    height, width = size
    return np.array(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def _edge(mask: Pixels) -> Pixels:
    """The pixels of a mask that have a neighbour outside of it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)
