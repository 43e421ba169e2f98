"""`Facets`: the kinds of pictures that one unit answers to, as a table, mean pictures, centroids and a sheet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..image.false_colour import pixels
from ..result.display import counted
from ..result.formats import PICTURES
from ..result.selection import items_at
from ..result.table import Table
from ..sheets.cut_out import shrunk
from ..sheets.grid import sheet
from ..sheets.tile import Tile

__all__ = ["Facets"]

Pixels = np.ndarray[Any, Any]
SIDE = 96
"""Pixels of the longer side of a picture in a sheet."""
MOST_ROWS = 48
"""Facets that a sheet shows: the first ones."""


@dataclass(frozen=True, kw_only=True)
class Facets(Table):
    """One row for each facet of each unit; a unit's largest facet first, then by the lowest image.

    Columns: "unit", "facet" (its number, from 0), "size" (examples in it), "share" (of the unit's examples), "value"
    (mean of the unit's answer to them), "spread" (root of the mean squared distance to the centroid), "shown" (how many
    examples the sheet has), "nearest" (the id of the example nearest to the centroid), "layer" and "space" (where the
    units are, and where pictures were compared).
    """

    means: Array
    """(rows, C, H, W), float32 in [0, 1]: the mean of the examples nearest to the centroid."""
    centroids: Array
    """(rows, D), float32: the mean of the facet's examples at the layer "space", averaged over positions."""
    examples: Array
    """(rows, n, h, w, 3), uint8: the examples nearest to the centroid, nearest first; zeros where there are fewer."""
    pictures: Array = None
    """(rows, C, H, W) in [0, 1]: climbed from each mean picture; None where none were made."""
    members: Array
    """(units, count), int64: each unit's examples, the strongest first, by their place in the data; -1 for none."""
    facet_of: Array
    """(units, count), int64: the facet of each of them; -1 for none."""
    _item: ClassVar[str] = "facet"
    _kind: ClassVar[str] = "set of facets"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = (
        ".png, .jpg or .webp for a sheet, .npz for everything, which start=data:FILE.npz reads, .csv or .parquet for "
        "the columns"
    )

    def _at(self, places: Any) -> "Facets":
        """Some rows, with their pictures."""
        rows = {
            name: items_at(values, places)
            for name in ("means", "centroids", "examples", "pictures")
            if (values := getattr(self, name)) is not None
        }
        table = super()._at(places)
        assert isinstance(table, Facets)
        return replace(table, **rows)

    def picture(self) -> Pixels:
        """A row for each facet: its mean picture, what was climbed from there, and its nearest examples."""
        rows, titles, last = [], [], None
        for n in range(min(len(self), MOST_ROWS)):
            unit, facet, size, share, value = (
                self.columns[name][n] for name in ("unit", "facet", "size", "share", "value")
            )
            tiles = [Tile(_drawn(as_numpy(self.means)[n]), "mean")]
            if self.pictures is not None:
                tiles.append(Tile(_drawn(as_numpy(self.pictures)[n]), "climbed"))
            shown = as_numpy(self.examples)[n][: int(self.columns["shown"][n])]
            rows.append([*tiles, *(Tile(shrunk(each, SIDE)) for each in shown)])
            first = f"{self.columns['layer'][n]}, unit {unit}: " if unit != last else ""
            many = counted(int(size), "picture")
            titles.append(f"{first}facet {facet}, {many} ({share:.0%}), mean answer {value:.3g}")
            last = unit
        left = len(self) - len(rows)
        count = int((as_numpy(self.members) >= 0).sum(axis=1).max())
        heading = (
            f"Kinds of pictures that a unit answers to most: its top {count} in groups, by likeness at layer "
            f"{self.columns['space'][0]}, the most typical first" + f"; {left} more facets" * bool(left)
        )
        return sheet(rows, titles, heading)

    def save_into(self, folder: Path) -> list[Path]:
        """`facets.png`, the sheet, and `facets.csv`, the table."""
        return [self.save(folder / "facets.png"), self.save(folder / "facets.csv")]

    def figures(self) -> Mapping[str, Any]:
        """The sizes of each unit's facets."""
        units = as_numpy(self.columns["unit"])
        sizes = as_numpy(self.columns["size"])
        return {f"unit {unit}": sizes[units == unit].tolist() for unit in dict.fromkeys(units.tolist())}


def _drawn(picture: Pixels) -> Pixels:
    return shrunk(pixels(picture), SIDE)
