"""Drawings of images as points: dots by class, pictures at their places, pictures on a grid."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ..errors import ImageError, ParameterError
from ..layouts import snapped
from ..sheets.class_colours import class_colours
from ..sheets.point_picture import Camera, classes_of, colours_of, drawn_points, legend, paler, titled

__all__ = ["DRAWINGS", "Drawn"]

Pixels = np.ndarray[Any, Any]

DRAWINGS = ("dots", "pictures", "grid")
"""How an embedding is drawn."""
DOTS = (900, 1800)
"""Pixels of the longer side of a drawing in dots: of few points, and of very many."""
CANVAS = (800, 4800)
"""Pixels of the side of a drawing in pictures at their places: of few, and of very many."""
LONGEST = 8000
"""Pixels of the longer side of a grid, at most: pictures are made smaller beyond."""
COVERED = 0.5
"""The share of a picture over which others may lie; one that is covered more is left out."""
TURN = 0.5
"""Radians by which points in space are turned."""


class Drawn(NamedTuple):
    """What is drawn: points, perhaps with those of another set behind them, which are pale."""

    points: Pixels
    """(N, 2) or (N, 3); NaN for those that are not drawn."""
    labels: Sequence[str]
    tiles: Pixels | None
    """(N, side, side, 3), uint8."""
    strong: Pixels | None
    """(N,), bool: False for those behind; None where there are none such."""
    title: str

    def picture(self, draw: str) -> Pixels:
        """(H, W, 3), uint8, by one of `DRAWINGS`.

        Raises:
            ParameterError: pictures in three dimensions.
            ImageError: there are no thumbnails.
        """
        return self._dots() if draw == "dots" else self._pictures() if draw == "pictures" else self._grid()

    @property
    def _known(self) -> Pixels:
        """The points that are drawn, those behind first, else in a random order that is always the same."""
        known = np.flatnonzero(np.isfinite(self.points).all(axis=1))
        order = known[np.random.default_rng(0).permutation(len(known))]
        return order if self.strong is None else order[np.argsort(self.strong[order], kind="stable")]

    def _dots(self) -> Pixels:
        count = len(self.points)
        side = int(np.clip(DOTS[0] * (count / 5_000) ** 0.4, *DOTS))
        letters = round(13 * side / DOTS[0])
        panel = drawn_points(
            self.points, colours_of(self.labels), Camera.of(self.points), side, TURN, strong=self.strong
        )
        if self.points.shape[1] == 3:
            panel = _without_white(panel)
        classes = classes_of(self.labels)
        named = legend(classes, class_colours(len(classes)), len(panel), letters=letters)
        return titled(np.concatenate([panel, named], axis=1), self.title, size=letters)

    def _shades(self) -> Pixels:
        """The pictures, those behind pale."""
        if self.tiles is None:
            raise ImageError("there are no thumbnails of all points: draw dots, or embed with thumbnail=28")
        if self.points.shape[1] != 2:
            raise ParameterError(f"pictures are drawn in a plane; the points have {self.points.shape[1]} dimensions")
        if self.strong is None:
            return self.tiles
        return np.where(self.strong[:, None, None, None], self.tiles, paler(self.tiles))

    def _pictures(self) -> Pixels:
        tiles, order = self._shades(), self._known
        side = tiles.shape[1]
        size = int(np.clip(1.3 * side * sqrt(len(order)), *CANVAS))
        own = self.points[order].astype(float)
        low, extent = (own.min(axis=0), max(float(np.ptp(own, axis=0).max()), 1e-12)) if len(own) else (0, 1)
        corners = ((own - low) / extent * (size - side)).astype(int)
        height = int(corners[:, 1].max(initial=0)) + side
        canvas, free = np.full((height, size, 3), 255, np.uint8), np.ones((height, size), bool)
        shown = 0
        for n, (left, up) in zip(order[::-1], corners[::-1], strict=True):  # those on top first, under which others go
            place = slice(height - side - up, height - up), slice(left, left + side)
            room = free[place]
            if room.mean() < 1 - COVERED:
                continue
            canvas[place] = np.where(room[..., None], tiles[n], canvas[place])
            free[place], shown = False, shown + 1
        return titled(canvas, f"{self.title}{self._left_out(shown, len(order))}", size=max(13, size // 100))

    def _left_out(self, shown: int, count: int) -> str:
        if shown == count:
            return ""
        return f"; {shown:,} of {count:,} shown, the others would lie under them"

    def _grid(self) -> Pixels:
        tiles, count = self._shades(), len(self._known)
        side = min(tiles.shape[1], max(1, LONGEST // max(1, ceil(sqrt(count)))))
        smaller = f"; pictures are {side} and not {tiles.shape[1]} pixels wide" * (side < tiles.shape[1])
        cells = snapped(self.points)
        rows, columns = (cells.max(axis=0) + 1).tolist() if count else (1, 1)
        canvas = np.full((rows * side, columns * side, 3), 255, np.uint8)
        for n in self._known:
            top, left = cells[n] * side
            canvas[top : top + side, left : left + side] = _resized(tiles[n], side)
        return titled(canvas, f"{self.title}{smaller}", size=max(13, len(canvas[0]) // 100))


def _without_white(panel: Pixels) -> Pixels:
    """A picture without the white rows above and below, but for a margin."""
    used = np.flatnonzero((panel < 255).any(axis=(1, 2)))
    return panel[max(0, used[0] - 12) : used[-1] + 12] if len(used) else panel


def _resized(tile: Pixels, side: int) -> Pixels:
    if len(tile) == side:
        return tile
    return np.asarray(Image.fromarray(tile).resize((side, side), Image.Resampling.BOX))
