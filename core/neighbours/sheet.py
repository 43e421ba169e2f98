"""The sheet of `Neighbours`: an image and its neighbours a row, or a group of duplicates."""

from pathlib import PurePath
from typing import Any

import numpy as np
from PIL import Image

from ..arrays import as_numpy
from ..errors import ImageError
from ..sheets.grid import sheet
from ..sheets.tile import Tile

__all__ = ["VIEWS", "drawn"]

Pixels = np.ndarray[Any, Any]
VIEWS = ("neighbours", "duplicates", "suspects")
"""What a sheet shows."""
SIDE = 96
"""Pixels of a picture's longer side; small ones are enlarged to about it."""
SMALL = 40
"""Pixels up to which a picture is enlarged by whole factors, so that its pixels are seen."""
SUSPECT, OTHER, ASKED = (220, 30, 30), (240, 160, 40), (40, 40, 40)
"""Frames: of a doubtful label, of a neighbour with another label, of the image asked for."""
MOST = 12
"""Pictures in a row."""


def drawn(result: Any, show: str, shown: int) -> Pixels:
    """The sheet (H, W, 3), uint8.

    Args:
        result: the neighbours.
        show: one of `VIEWS`.
        shown: rows at most.

    Raises:
        ImageError: there are no thumbnails, or nothing to show.
    """
    if "thumbnails" not in result.data:
        raise ImageError("there are no thumbnails to draw: give thumbnail=64, say; volumes have none")
    every = result.rows_of(show)
    if show == "suspects" and not (as_numpy(result.data["label"]) != "").any():
        raise ImageError(
            "there are no suspects to draw, for the data have no labels; show=neighbours draws them without"
        )
    if not every:
        raise ImageError(f"there are no {show} to draw among {len(result)} images; show=neighbours draws these")
    drawing, rows, titles = _Drawing(result), [], []
    for group in every[:shown]:
        rows.append(drawing.group(group) if show == "duplicates" else drawing.neighbours(group[0]))
        titles.append(drawing.title(group, show))
    left = len(every) - len(rows)
    heading = (
        f"{show} in {result.provenance['layers'][0]}, {result.parameters['metric']} distance"
        if (result.provenance)
        else show
    )
    count = as_numpy(result.columns["neighbour"]).shape[1]
    if show != "duplicates" and count > MOST:
        heading += f"; the nearest {MOST} of {count}"
    return sheet(rows, titles, heading + f"; {left} more rows are not drawn" * bool(left), smallest=SIDE)


class _Drawing:
    def __init__(self, result: Any) -> None:
        self.result = result
        self.columns = {name: as_numpy(values) for name, values in result.columns.items()}
        self.data = {name: values for name, values in result.data.items() if name != "features"}
        self.labelled = bool((as_numpy(self.data["label"]) != "").any())
        self.named = not all(str(name).isdecimal() for name in as_numpy(self.data["image"])[:100].tolist())

    def title(self, group: list[int], show: str) -> str:
        """What is said of a row of the sheet."""
        row = group[0]
        name, count = self.columns["image"][row], self.columns["neighbour"].shape[1]
        label = f", label {self.columns['label'][row]}" if self.columns["label"][row] else ""
        if show == "duplicates":
            same = (self.columns["same_pixels_as"][group] >= 0).all()
            images = 1 + len(self.result.duplicates_of(row)) if self.result.of_queries else len(group)
            drawn = f", {MOST} of them drawn" * (images > MOST)
            return f"{name}: {images} images{drawn}, {'the same pixels' if same else 'alike in the layer'}"
        if self.columns["suspect"][row]:
            votes, suggested = self.columns["votes"][row], self.columns["suggested"][row]
            return f"{name}{label}? {votes} of {count} neighbours {suggested}"
        if not label and self.columns["suggested"][row]:
            return f"{name}: {self.columns['votes'][row]} of {count} neighbours {self.columns['suggested'][row]}"
        return f"{name}{label}"

    def neighbours(self, row: int) -> list[Tile]:
        """The image, then its neighbours."""
        columns, own = self.columns, str(self.columns["label"][row])
        suspect = bool(columns["suspect"][row])
        tiles = [Tile(self._asked(row), _labelled(own), SUSPECT if suspect else ASKED)]
        for place, distance in zip(columns["neighbour"][row][:MOST], columns["distance"][row], strict=False):
            number = int(np.searchsorted(as_numpy(self.data["index"]), place))
            label = str(as_numpy(self.data["label"])[number])
            frame = OTHER if own and label and label != own else None
            tiles.append(Tile(self._of_data(int(place)), self._caption(number, label, f"{distance:.3g}"), frame))
        return tiles

    def group(self, group: list[int]) -> list[Tile]:
        """Images that are alike; of a query itself and what is like it."""
        if self.result.of_queries:
            row = group[0]
            places = self.result.duplicates_of(row)[: MOST - 1]
            return [Tile(self._asked(row), "asked for", ASKED), *(self._member(place) for place in places)]
        places = [int(self.columns["index"][row]) for row in group]
        labels = {str(self.columns["label"][row]) for row in group}
        return [self._member(place, SUSPECT if len(labels) > 1 else None) for place in places[:MOST]]

    def _member(self, place: int, frame: Any = None) -> Tile:
        number = int(np.searchsorted(as_numpy(self.data["index"]), place))
        return Tile(self._of_data(place), self._caption(number, str(as_numpy(self.data["label"])[number])), frame)

    def _caption(self, number: int, label: str, distance: str = "") -> str:
        name = str(as_numpy(self.data["image"])[number])
        lines = [
            distance,
            _labelled(label) if self.labelled else "",
            PurePath(name).stem if self.named else f"id {name}",
        ]
        return "\n".join(filter(None, lines))

    def _asked(self, row: int) -> Pixels:
        if self.result.thumbnails is not None:
            return _large(as_numpy(self.result.thumbnails)[row])
        return self._of_data(int(self.columns["index"][row]))

    def _of_data(self, place: int) -> Pixels:
        return _large(np.asarray(as_numpy(self.data["thumbnails"])[place]))


def _large(tile: Pixels) -> Pixels:
    """A thumbnail at about `SIDE` pixels; small ones as they are, whose pixels the sheet enlarges."""
    side = tile.shape[0]
    if side <= SMALL or side >= SIDE:
        return tile
    return np.array(Image.fromarray(tile).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _labelled(label: str) -> str:
    """A label as a caption, "" for none: of a number it says so, of words there is no room for more."""
    return f"label {label}" if label.isdecimal() else label
