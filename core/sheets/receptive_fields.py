"""`ReceptiveFields`: the fields of a network's layers as a table, drawn on a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..image.false_colour import pixels
from ..result.formats import PICTURES
from ..result.table import Table
from .grid import sheet, square_rows
from .tile import Tile

__all__ = ["WHOLE_IMAGE", "ReceptiveFields"]

Pixels = np.ndarray[Any, Any]
WHOLE_IMAGE = "whole image"
"""What stands for the field of units that see all of the image wherever they stand."""
PART, WHOLE = (255, 196, 0), (0, 160, 255)
"""Colours of the frame of a rectangle, and of the whole image."""
DIMMED = 0.35
"""What is left of the brightness of pixels outside the field."""
MOST_TILES = 64
"""Rows of the table that a picture shows: the first ones."""


@dataclass(frozen=True)
class ReceptiveFields(Table):
    """One row for each layer and position.

    Columns: "layer", "kind", "position", "field" (height x width of the theoretical field, or "whole image"), "stride"
    (pixels between neighbours), "padding" (pixels by which the first unit's field begins before the image), "centre"
    (of the first unit's field), "top", "left", "bottom", "right" (pixels that exist, half-open) and "known": "exact",
    or which bound it is.
    """

    size: tuple[int, int] = (0, 0)
    """(H, W) of the image in pixels."""
    _kind: ClassVar[str] = "table of receptive fields"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for a picture, .npz for the table"

    @property
    def values(self) -> Array:
        """(rows, 4), float64: top, left, bottom and right of each row's pixels."""
        return np.stack([as_numpy(self.columns[side]) for side in ("top", "left", "bottom", "right")], axis=1) * 1.0

    def details(self) -> Mapping[str, Any]:
        """The columns, and the size of the image."""
        return {**super().details(), "size": list(self.size)}

    def picture(self) -> Pixels:
        """The picture once for each row, bright within the field; without a picture, grey."""
        rows = [{name: values[n] for name, values in self.columns.items()} for n in range(min(len(self), MOST_TILES))]
        left = len(self) - len(rows)
        heading = f"receptive fields, of {self.size[0]} x {self.size[1]} pixels" + f"; {left} more" * bool(left)
        return sheet(square_rows([self._tile(row) for row in rows]), heading=heading)

    def _tile(self, row: Mapping[str, Any]) -> Tile:
        canvas = self._canvas()
        top, left, bottom, right = (int(row[name]) for name in ("top", "left", "bottom", "right"))
        inside = np.zeros(self.size, bool)
        inside[top:bottom, left:right] = True
        dimmed = np.where(inside[..., None], canvas, canvas * DIMMED).round().astype(np.uint8)
        whole = str(row["field"]) == WHOLE_IMAGE
        colour = WHOLE if whole else PART
        if inside.any():
            dimmed[[top, bottom - 1], left:right] = colour
            dimmed[top:bottom, [left, right - 1]] = colour
        lines = (str(row["layer"]), f"{row['field']} at {row['position']}", str(row["known"]))
        return Tile(dimmed, "\n".join(lines))

    def _canvas(self) -> Pixels:
        """(H, W, 3) of the first picture."""
        if self.images is None:
            return np.full((*self.size, 3), 160, np.uint8)
        low, high = self.provenance.get("bounds") or (0.0, 1.0)
        return pixels(as_numpy(self.images)[0], (float(low), float(high)), self.bands)
