"""A tile of a sheet: a small picture, a line or two under it, a frame round it."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import ImageError
from ..result.display import enlarged

__all__ = ["FRAME", "Colour", "Tile"]

Pixels = np.ndarray[Any, Any]
Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
FRAME = 2
"""Pixels of a frame on each side."""


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a sheet.

    Raises:
        ImageError: the picture is not (H, W, 3) of uint8, with at least one pixel.
    """

    pixels: Pixels
    """(H, W, 3), uint8."""
    caption: str = ""
    """What stands under it; lines are separated by line breaks, and each is cut to the width of the column."""
    frame: Colour | None = None
    """The colour of a frame round the picture; None for no frame."""

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise ImageError(f"a tile is a picture (H, W, 3) of uint8; received {pixels.dtype} {pixels.shape}")

    @property
    def lines(self) -> list[str]:
        """The lines of the caption."""
        return self.caption.split("\n") if self.caption else []

    def drawn(self, smallest: int) -> Pixels:
        """The picture with its frame, (h, w, 3).

        Args:
            smallest: a picture with a longer side of fewer pixels is enlarged by a whole factor, each pixel a square,
                as far as it stays within this.
        """
        larger = enlarged(self.pixels, max(1, smallest // max(self.pixels.shape[:2])))
        if self.frame is None:
            return larger
        height, width, _ = larger.shape
        framed = np.full((height + 2 * FRAME, width + 2 * FRAME, 3), self.frame, np.uint8)
        framed[FRAME:-FRAME, FRAME:-FRAME] = larger
        return framed
