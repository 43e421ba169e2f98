"""`EmpiricalFields`: the part of pictures that units really use, as a table, maps and a sheet."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..image.colormap import colour
from ..image.false_colour import pixels
from ..receptive import Rectangle
from ..result.formats import PICTURES
from ..result.table import Table
from .grid import sheet
from .tile import Tile

__all__ = ["EmpiricalFields", "place_of_field"]

Pixels = np.ndarray[Any, Any]
DIMMED = 0.3
"""What is left of the brightness of pixels outside the field."""
MOST_ROWS = 48
"""Units that a sheet shows: the first ones."""


def place_of_field(field: Rectangle | None, size: tuple[int, int]) -> tuple[float, float]:
    """The middle of a unit's theoretical field, which may lie beyond the edge; None is the whole picture."""
    top, left, bottom, right = (0, 0, *size) if field is None else field.unclipped
    return (top + bottom - 1) / 2, (left + right - 1) / 2


@dataclass(frozen=True)
class EmpiricalFields(Table):
    """One row for each unit.

    Columns: "layer", "unit", "pictures" (over how many the change was averaged), "theoretical" (height x width of its
    receptive field, or "whole image"), "size" (root of the area, in pixels), "area" (pixels), "share" (of the
    theoretical area) and "change" (the largest mean change of its activation).
    """

    maps: Array
    """(rows, 2 H - 1, 2 W - 1), float32: the mean change, for an occluder at each place around the unit's own."""
    examples: Array
    """(rows, H, W, 3), uint8: the best picture of each unit, dark outside what it uses."""
    _kind: ClassVar[str] = "table of empirical receptive fields"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for a sheet, .npz for everything"

    @staticmethod
    def example(image: Array, inside: Pixels, centre: tuple[float, float], bounds: tuple[float, float]) -> Pixels:
        """A picture (1, C, H, W) as (H, W, 3), dark outside a unit's field.

        Args:
            image: within `bounds`.
            inside: (2 H - 1, 2 W - 1), True in the field, the unit's place in the middle.
            centre: the pixel at the unit's place.
            bounds: of the picture's values.
        """
        shown = pixels(as_numpy(image)[0], bounds)
        height, width = shown.shape[:2]
        top = height - 1 - min(max(round(centre[0]), 0), height - 1)
        left = width - 1 - min(max(round(centre[1]), 0), width - 1)
        kept = inside[top : top + height, left : left + width, None]
        return np.where(kept, shown, (shown * DIMMED).round()).astype(np.uint8)

    def picture(self) -> Pixels:
        """A row for each unit: the mean change around its place, and its best picture, dark outside what it uses."""
        rows, titles = [], []
        for n in range(min(len(self), MOST_ROWS)):
            layer, unit, size, field = (self.columns[name][n] for name in ("layer", "unit", "size", "theoretical"))
            values = as_numpy(self.maps)[n]
            shown = colour(values, limit=float(values.max()) or 1.0, signed=False)
            rows.append([Tile(_middle(shown)), Tile(as_numpy(self.examples)[n])])
            titles.append(f"{layer}, unit {unit}: {size:.0f} pixels of {field}")
        left = len(self) - len(rows)
        return sheet(rows, titles, "empirical receptive fields" + f"; {left} more" * bool(left))


def _middle(shown: Pixels) -> Pixels:
    """The middle of a picture (2 H - 1, 2 W - 1), as large as the pictures are, (H, W)."""
    height, width = (shown.shape[0] + 1) // 2, (shown.shape[1] + 1) // 2
    top, left = (shown.shape[0] - height) // 2, (shown.shape[1] - width) // 2
    return shown[top : top + height, left : left + width]
