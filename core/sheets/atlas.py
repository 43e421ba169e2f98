"""`Atlas`: the activations of a layer on a plane, cut into cells, each with a picture of what its mean looks for."""

from collections.abc import Iterator, Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..arrays import Array, as_numpy
from ..image.false_colour import pixels
from ..layouts import Layout, layout_from_saved
from ..result.display import Pixels, counted
from ..result.formats import PICTURES
from ..result.selection import items_at
from ..result.table import Table
from .cut_out import shrunk
from .grid import sheet
from .tile import Colour, Tile

__all__ = ["Atlas"]

Numbers = np.ndarray[Any, Any]
CANVAS = 1400
"""Pixels of a side of a sheet, about."""
LARGEST, SMALLEST = 96, 16
"""Pixels of a cell's side."""
NAMED = 48
"""Pixels of a cell's side from which its class stands under it."""
WHITE: Colour = (255, 255, 255)
PALETTE: tuple[Colour, ...] = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
    (140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207),
)  # fmt: skip
"""Colours of up to ten classes, in their order."""


@dataclass(frozen=True)
class Atlas(Table):
    """A row for each cell that holds enough positions, row by row of the grid.

    Columns: "row" (from the top), "column", "count" (positions in it) and, where the network has classes, "class" (n,
    k), those that the cell speaks for, the strongest first, and "attribution" (n, k), how much a position of the cell
    adds to each of them on average: gradient of the logit times activation.
    """

    layer: str = field(kw_only=True)
    cells: int = field(kw_only=True)
    """Along each axis of the grid."""
    pictures: Array = field(kw_only=True)
    """(rows, C, H, W) in [0, 1]: what was climbed for each cell."""
    means: Array = field(kw_only=True)
    """(rows, units), float32: the mean activation of each cell."""
    directions: Array = field(kw_only=True)
    """(rows, units), float32, of length one: the whitened means, which were climbed."""
    attributions: Array = field(kw_only=True)
    """(rows, classes), float64: the mean of the cell's positions, for every class; no classes where none were asked."""
    layout: Layout = field(kw_only=True)
    """A point for each sampled position; NaN for those that were not laid out, as they speak for other classes."""
    cell_of: Array = field(kw_only=True)
    """(n,), int64: the row of each sampled position's cell, -1 for none."""
    sample: Mapping[str, Array] = field(kw_only=True)
    """What a sweep gathered of the n positions: "image" (its index in the data), "position" (row by row of the map),
    "activation" (n, units), "effect" (n, classes) and "key", by which they were drawn; "mean_colour" of the data."""
    target: str = field(default="", kw_only=True)
    """The class whose positions alone were laid out."""
    _item: ClassVar[str] = "cell"
    _kind: ClassVar[str] = "activation atlas"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = (
        ".png, .jpg or .webp for the atlas, .csv or .parquet for the columns, .npz for everything, from which sample= "
        "makes other atlases without a sweep"
    )

    def saved_fields(self) -> Mapping[str, Any]:
        return {**{f.name: getattr(self, f.name) for f in fields(self) if f.init}, "layout": self.layout.saved()}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        return cls(**{**saved, "layout": layout_from_saved(saved["layout"])})

    def _at(self, places: Sequence[int]) -> "Atlas":
        """Some cells; the sample and the layout stay whole."""
        kept = np.asarray(places, int)
        rows = {name: items_at(getattr(self, name), places) for name in ("pictures", "means", "directions")}
        new = np.full(len(self) + 1, -1, np.int64)
        new[kept] = np.arange(len(kept))
        table = super()._at(places)
        assert isinstance(table, Atlas)
        attributions = items_at(self.attributions, places)
        return replace(table, **rows, attributions=attributions, cell_of=new[as_numpy(self.cell_of)])

    def picture(self) -> Pixels:
        """The cells at their places, framed in the colour of their first class, which stands under them if it fits."""
        side = int(np.clip(CANVAS // self.cells, SMALLEST, LARGEST))
        drawn = {place: self._tile(n, side) for n, place in enumerate(self._places())}
        first = next(iter(drawn.values()))
        blank = Tile(np.full_like(first.pixels, 255), frame=first.frame and WHITE)
        across = range(self.cells)
        rows = [[drawn.get((row, column), blank) for column in across] for row in across]
        heading = f"{self.layer}: {', '.join(self._facts())}" + f"; speaking for {self.target}" * bool(self.target)
        return sheet(rows, heading=heading, smallest=side)

    def _places(self) -> list[tuple[int, int]]:
        rows, columns = (as_numpy(self.columns[name]).tolist() for name in ("row", "column"))
        return list(zip(rows, columns, strict=True))

    def _tile(self, index: int, side: int) -> Tile:
        picture = shrunk(pixels(as_numpy(self.pictures)[index]), side)
        if "class" not in self.columns:
            return Tile(picture)
        name = str(as_numpy(self.columns["class"])[index, 0])
        return Tile(picture, name.partition(",")[0] if side >= NAMED else "", self._colours()[name])

    def _colours(self) -> Mapping[str, Colour]:
        """Of each class that is some cell's first, in the order of the classes."""
        classes = as_numpy(self.attributions)
        names = as_numpy(self.columns["class"])[:, 0]
        first = dict(sorted({int(n): str(name) for n, name in zip(classes.argmax(axis=1), names, strict=True)}.items()))
        if classes.shape[1] <= len(PALETTE):
            return {name: PALETTE[n] for n, name in first.items()}
        return {name: _hue(n / len(first)) for n, name in enumerate(first.values())}

    def save_into(self, folder: Path) -> list[Path]:
        """`atlas.png`, the atlas, and `atlas.csv`, the table."""
        return [self.save(folder / "atlas.png"), self.save(folder / "atlas.csv")]

    def figures(self) -> Mapping[str, Any]:
        """How many positions lie in cells that are shown."""
        return {"positions in cells": int((as_numpy(self.cell_of) >= 0).sum())}

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self), 'cell')} of {self.cells} x {self.cells}"
        yield f"{(as_numpy(self.cell_of) >= 0).sum()} of {counted(len(self.cell_of), 'position')}"
        yield f"by {self.layout.name}"


def _hue(share: float) -> Colour:
    red, green, blue = (round(255 * each) for each in hsv_to_rgb(share, 0.8, 0.85))
    return red, green, blue
