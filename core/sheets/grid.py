"""A sheet: tiles in rows and columns on white, with captions, a title over each row and a heading."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np

from ..errors import ImageError, ParameterError
from .lettering import cut, line_height, wrap, write
from .tile import Tile

__all__ = ["SMALLEST", "sheet", "square_rows"]

Pixels = np.ndarray[Any, Any]

SMALLEST = 64
"""Pixels up to which the longer side of a small tile is enlarged."""
NARROWEST = 30
"""Pixels of a column, at least: a number fits under its tile."""
NARROWEST_TITLE = 240
"""Pixels of a sheet with titles or a heading, at least."""
GAP, MARGIN = 6, 8
"""White pixels between tiles, and round the sheet."""
CAPTION, TITLE, HEADING = 11, 13, 15
"""Sizes of letters, in pixels."""


@dataclass(frozen=True)
class _Row:
    """A row, drawn: its pictures, the lines of their captions, its title."""

    pictures: Sequence[Pixels]
    captions: Sequence[Sequence[str]]
    title: str

    @property
    def depth(self) -> int:
        """Pixels of the highest picture."""
        return max((picture.shape[0] for picture in self.pictures), default=0)

    @property
    def text_depth(self) -> int:
        """Pixels of the longest caption."""
        return max(map(len, self.captions), default=0) * line_height(CAPTION)


def sheet(
    rows: Sequence[Sequence[Tile]], titles: Sequence[str] = (), heading: str = "", *, smallest: int = SMALLEST
) -> Pixels:
    """Tiles in rows and columns, on white. A row is as high as its highest tile, a column as wide as its widest.

    A tile that is alone in its row may be wider than its column.

    Args:
        rows: the tiles of each row, of any sizes; a row may be empty, and rows may differ in length.
        titles: what stands over each row, broken into lines where it is wider than the sheet; none, or one each.
        heading: what stands over all rows, broken likewise.
        smallest: pixels up to which the longer side of a small tile is enlarged, by a whole factor.

    Returns:
        (H, W, 3), uint8.

    Raises:
        ImageError: there is no tile.
        ParameterError: another number of titles than of rows.
    """
    if not any(rows):
        raise ImageError("there is no picture to draw: the sheet has no tile")
    if titles and len(titles) != len(rows):
        raise ParameterError(f"a sheet of {len(rows)} rows was given {len(titles)} titles; give one for each row")
    drawn = [[tile.drawn(smallest) for tile in row] for row in rows]
    columns = _column_widths(drawn)
    laid_out = [
        _Row(pictures, [_caption(*each) for each in zip(row, columns, pictures, strict=False)], title)
        for pictures, row, title in zip(drawn, rows, titles or [""] * len(rows), strict=True)
    ]
    width = max(sum(columns) + GAP * (len(columns) - 1), *(row[0].shape[1] for row in drawn if row))
    width = max(width, NARROWEST_TITLE) if heading or any(titles) else width
    lines = wrap(heading, width, HEADING)
    parts = [_text(lines, width, HEADING)] if lines else []
    for n, row in enumerate(laid_out):
        parts += _row_parts(row, columns, width, spaced=n > 0 and bool(row.title))
    blocks = [part for each in parts for part in (_white(GAP, width), each)][1:]
    return np.pad(np.concatenate(blocks), ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)


def _column_widths(drawn: Sequence[Sequence[Pixels]]) -> list[int]:
    """Of each column; a tile that is alone in its row widens none, for it has room to its right."""
    shared = [row for row in drawn if len(row) > 1]
    return [max([NARROWEST, *(row[n].shape[1] for row in shared if n < len(row))]) for n in range(max(map(len, drawn)))]


def _caption(tile: Tile, column: int, picture: Pixels) -> list[str]:
    """The lines under a tile, cut to its column, or to its own width where that is larger."""
    return [cut(line, max(column, picture.shape[1]), CAPTION) for line in tile.lines]


def square_rows(tiles: Sequence[Tile], columns: int | None = None) -> list[Sequence[Tile]]:
    """Tiles as the rows of a sheet that is about as wide as it is high, or has so many columns.

    >>> tile = Tile(np.zeros((1, 1, 3), np.uint8))
    >>> [len(row) for row in square_rows([tile] * 7)], [len(row) for row in square_rows([tile] * 5, 4)]
    ([3, 3, 1], [4, 1])
    """
    across = columns or ceil(sqrt(len(tiles)))
    return [tiles[start : start + across] for start in range(0, len(tiles), across)]


def _row_parts(row: _Row, columns: Sequence[int], width: int, *, spaced: bool) -> list[Pixels]:
    """The title and the tiles of a row, each `width` pixels wide."""
    parts = [_white(0, width)] * spaced
    if lines := wrap(row.title, width, TITLE):
        parts.append(_text(lines, width, TITLE))
    if not row.pictures:
        return parts
    part = _white(row.depth + row.text_depth, width)
    left = 0
    for picture, caption, across in zip(row.pictures, row.captions, columns, strict=False):
        height, own, _ = picture.shape
        part[:height, left : left + own] = picture
        part = write(part, list(caption), left, height, CAPTION) if caption else part
        left += across + GAP
    return [*parts, part]


def _text(lines: list[str], width: int, size: int) -> Pixels:
    return write(_white(len(lines) * line_height(size), width), lines, 0, 0, size)


def _white(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 255, np.uint8)
