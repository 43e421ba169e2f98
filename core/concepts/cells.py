"""Cells of a semantic dictionary: icons as large as a unit is active, framed by what it does; marks in a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..image.colormap import colour
from ..sheets.cut_out import shrunk
from ..sheets.lettering import font, text_width

__all__ = ["POSITION", "cell", "marked", "mosaic", "surroundings"]

Pixels = np.ndarray[Any, Any]

POSITION = 96
"""Pixels of a cell's side in a row."""
FRAME = 4
"""Pixels of an icon's frame."""
LEAST = 0.15
"""Of the side that an icon has, however little active its unit is."""
MISSING = 200
"""Grey of a unit without an icon."""
MARK = (255, 230, 0)
LETTERS = 11
NUMBERED = 32
"""Positions of a picture that are numbered in it, at most."""


def cell(icon: Pixels | None, share: float, gain: float, side: int, name: str = "") -> Pixels:
    """An icon in the middle of a white square, its area as its unit's activation, in a frame.

    Args:
        icon: (H, W, 3), uint8; None for a unit without one.
        share: of the largest activation, at most 1.
        gain: the contribution over the one that has the full colour: red above zero, blue below.
        side: of the square in pixels.
        name: written where there is no icon.
    """
    own = max(2 * FRAME + 2, round(side * max(LEAST, np.sqrt(np.clip(share, 0, 1)))))
    framed = np.empty((own, own, 3), np.uint8)
    framed[:] = colour(np.array([[gain]]), 1.0, signed=True)[0, 0]
    inside = own - 2 * FRAME
    framed[FRAME:-FRAME, FRAME:-FRAME] = _named(name, inside) if icon is None else _fitted(icon, inside)
    square = np.full((side, side, 3), 255, np.uint8)
    first = (side - own) // 2
    square[first : first + own, first : first + own] = framed
    return square


def _named(name: str, side: int) -> Pixels:
    """A grey square with the name of a unit, if there is room for it."""
    picture = Image.new("RGB", (side, side), (MISSING,) * 3)
    if text_width(name, LETTERS) < side:
        ImageDraw.Draw(picture).text((side / 2, side / 2), name, fill="black", font=font(LETTERS), anchor="mm")
    return np.asarray(picture)


def _fitted(icon: Pixels, side: int) -> Pixels:
    """The middle square of an icon at another size."""
    height, width = icon.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    square = Image.fromarray(np.ascontiguousarray(icon[top : top + least, left : left + least]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))


def mosaic(cells: Sequence[Pixels], across: int, side: int) -> Pixels:
    """Cells of `side` pixels as a square, `across` in a row; white where there are fewer."""
    square = np.full((across * side, across * side, 3), 255, np.uint8)
    for n, each in enumerate(cells):
        y, x = n // across * side, n % across * side
        square[y : y + side, x : x + side] = each
    return square


def marked(rgb: Pixels, places: Sequence[tuple[int, int]], shape: Sequence[int], side: int) -> Pixels:
    """A picture with a numbered box at each position of a layer.

    Args:
        rgb: (3, H, W), in [0, 1].
        places: (row, column) of each.
        shape: (h, w) of the layer; a position's box is its share of the picture.
        side: of the longer side in pixels, at most.
    """
    small = shrunk(_as_pixels(rgb), side)
    picture = Image.fromarray(small)
    pen = ImageDraw.Draw(picture)
    high, wide = picture.height / shape[0], picture.width / shape[1]
    for number, (y, x) in enumerate(places, start=1):
        left, top = round(x * wide), round(y * high)
        right, bottom = max(left + 1, round((x + 1) * wide) - 1), max(top + 1, round((y + 1) * high) - 1)
        pen.rectangle((left, top, right, bottom), outline=MARK)
        if len(places) <= NUMBERED:
            pen.text((left + 3, top + 1), str(number), fill=MARK, font=font(LETTERS))
    return np.array(picture)


def surroundings(rgb: Pixels, place: tuple[int, int], shape: Sequence[int]) -> Pixels:
    """What lies round a position of a layer (h, w) in a picture (3, H, W): three times its side, at least a quarter.

    The window stays within the picture; a box shows the position itself. (h, w, 3), uint8, no side above `POSITION`.
    """
    sides = [n / count for n, count in zip(rgb.shape[1:], shape, strict=True)]
    least = max(3 * max(sides), max(rgb.shape[1:]) / 4)
    corner, size = [], []
    for n, at, side in zip(rgb.shape[1:], place, sides, strict=True):
        size.append(min(n, round(least)))
        corner.append(int(np.clip(round((at + 0.5) * side - size[-1] / 2), 0, n - size[-1])))
    cut = _as_pixels(rgb)[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
    scale = POSITION / max(size)
    large = (max(1, round(size[1] * scale)), max(1, round(size[0] * scale)))
    picture = Image.fromarray(np.ascontiguousarray(cut)).resize(large, Image.Resampling.LANCZOS)
    top, left = ((at * side - first) * scale for at, side, first in zip(place, sides, corner, strict=True))
    box = (left, top, left + sides[1] * scale - 1, top + sides[0] * scale - 1)
    ImageDraw.Draw(picture).rectangle(box, outline=MARK)
    return np.array(picture)


def _as_pixels(rgb: Pixels) -> Pixels:
    return np.asarray((np.moveaxis(rgb, 0, -1).clip(0, 1) * 255).round(), np.uint8)
