"""A matrix of classes by classes as a picture: a square for each pair, names at both sides, a scale below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..image.colormap import colour
from ..sheets.lettering import cut, font, line_height, text_width, wrap

__all__ = ["Scale", "heat_map", "side_by_side"]

Pixels = np.ndarray[Any, Any]
WIDEST = 560
"""Pixels of a matrix's side at most, up to as many classes; more have one pixel each."""
LARGEST_CELL = 40
WRITTEN_CELL = 26
"""Pixels of a square from which its number is written in it."""
LONGEST_NAME = 150
LETTERS, TITLE = 11, 14
MARGIN = 10
STRIP = (160, 12)
LEAST = 0.000_1
"""Below it a number is written as 0."""
DIAGONAL = 224
"""The grey of what every class has with itself, which would hide all else."""


@dataclass(frozen=True)
class Scale:
    """Which number has which colour: from `low` dark to `high` bright; where it is signed, blue through white to red.

    A signed one is symmetric.
    """

    low: float
    high: float
    signed: bool = False

    @classmethod
    def of(cls, values: Pixels, signed: bool) -> "Scale":
        """One that shows all pairs of different classes of (C, C)."""
        pairs = values[~np.eye(len(values), dtype=bool)]
        if signed:
            limit = float(np.abs(pairs).max()) or 1.0
            return cls(-limit, limit, signed)
        low, high = min(float(pairs.min()), 0.0) if pairs.min() >= 0 else float(pairs.min()), float(pairs.max())
        return cls(low, high if high > low else low + 1.0)

    def colours(self, values: Pixels) -> Pixels:
        """(..., 3), uint8."""
        middle = 0.0 if self.signed else self.low
        return colour(np.atleast_2d(values) - middle, self.high - middle, self.signed)


def heat_map(
    values: Pixels, names: Sequence[str], title: str, scale: Scale, *, diagonal: Sequence[str] | None = None
) -> Pixels:
    """Draw a matrix.

    Args:
        values: (C, C), finite.
        names: of the classes; not all are written where they are many.
        title: stands above.
        scale: which number has which colour.
        diagonal: what is written into the squares of the diagonal, which are grey.

    Returns:
        (H, W, 3), uint8.
    """
    count = len(names)
    cell = max(1, min(LARGEST_CELL, WIDEST // count))
    side = cell * count
    shown = range(0, count, max(1, -(-(LETTERS + 2) // cell)))
    words = {n: cut(names[n], LONGEST_NAME, LETTERS) for n in shown}
    room = max(text_width(word, LETTERS) for word in words.values()) + 6
    some = f" (one name in {shown.step})" * (shown.step > 1)
    lines = wrap(title + some, max(side + room, 240), TITLE)
    top = len(lines) * line_height(TITLE) + 6
    size = (max(side + room, 240), top + side + room + STRIP[1] + line_height(LETTERS) + 12)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(Image.fromarray(_squares(values, scale, cell)), (room, top))
    pen = ImageDraw.Draw(canvas)
    for n, line in enumerate(lines):
        pen.text((0, n * line_height(TITLE)), line, fill="black", font=font(TITLE))
    for n, word in words.items():
        middle = int((n + 0.5) * cell)
        pen.text((room - 4, top + middle), word, fill="black", font=font(LETTERS), anchor="rm")
        canvas.paste(_turned(word), (room + middle - line_height(LETTERS) // 2, top + side + 4))
    if cell >= WRITTEN_CELL:
        _write_numbers(pen, values, scale, cell, (room, top), diagonal)
    _draw_scale(canvas, scale, (room, top + side + room + 4))
    return np.array(canvas)


def side_by_side(pictures: Sequence[Pixels], heading: str) -> Pixels:
    """Pictures in a row, on white, under a heading."""
    height = max(each.shape[0] for each in pictures)
    padded = [
        np.pad(each, ((0, height - each.shape[0]), (MARGIN, MARGIN), (0, 0)), constant_values=255) for each in pictures
    ]
    row = np.concatenate(padded, axis=1)
    lines = wrap(heading, row.shape[1] - 2 * MARGIN, TITLE)
    above = Image.new("RGB", (row.shape[1], MARGIN + len(lines) * line_height(TITLE) + 6), "white")
    for n, line in enumerate(lines):
        ImageDraw.Draw(above).text((MARGIN, MARGIN + n * line_height(TITLE)), line, fill="black", font=font(TITLE))
    return np.pad(np.concatenate([np.array(above), row]), ((0, MARGIN), (0, 0), (0, 0)), constant_values=255)


def _squares(values: Pixels, scale: Scale, cell: int) -> Pixels:
    colours = scale.colours(values)
    colours[np.eye(len(values), dtype=bool)] = DIAGONAL
    return np.ascontiguousarray(colours.repeat(cell, axis=0).repeat(cell, axis=1))


def _turned(word: str) -> Image.Image:
    """A word that reads upwards, its end at the top."""
    tile = Image.new("RGB", (max(text_width(word, LETTERS), 1) + 2, line_height(LETTERS)), "white")
    ImageDraw.Draw(tile).text((0, 0), word, fill="black", font=font(LETTERS))
    return tile.transpose(Image.Transpose.ROTATE_90)


def _write_numbers(
    pen: Any, values: Pixels, scale: Scale, cell: int, corner: tuple[int, int], diagonal: Sequence[str] | None
) -> None:
    """The number of each pair in its square, black or white, whichever can be read."""
    colours = scale.colours(values)
    for row, column in np.ndindex(values.shape):
        text = short(float(values[row, column]))
        if row == column:
            if diagonal is None:
                continue
            text = diagonal[row]
        dark = row != column and colours[row, column] @ np.array([0.3, 0.59, 0.11]) < 128
        place = corner[0] + (column + 0.5) * cell, corner[1] + (row + 0.5) * cell
        pen.text(place, text, fill="white" if dark else "black", font=font(LETTERS - 1), anchor="mm")


def short(value: float) -> str:
    """A number in two digits behind the point, a small one in its first digit, without the zero before the point.

    >>> short(0.5), short(-0.123), short(0.0), short(12.3), short(0.004)
    ('.5', '-.12', '0', '12', '.004')
    """
    size = abs(value)
    if size >= 10 or size < LEAST:
        return f"{size and value:.0f}".replace("-0", "0")
    text = (f"{value:.2f}" if size >= 0.01 else f"{value:.1g}").rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if size < 1 else text


def _draw_scale(canvas: Image.Image, scale: Scale, corner: tuple[int, int]) -> None:
    """A strip of all colours, with the numbers at its ends."""
    pen = ImageDraw.Draw(canvas)
    low, high = f"{scale.low:.3g}", f"{scale.high:.3g}"
    start = corner[0] + text_width(low, LETTERS) + 6
    strip = scale.colours(np.linspace(scale.low, scale.high, STRIP[0])[None].repeat(STRIP[1], axis=0))
    canvas.paste(Image.fromarray(strip), (start, corner[1]))
    pen.text((corner[0], corner[1]), low, fill="black", font=font(LETTERS))
    pen.text((start + STRIP[0] + 6, corner[1]), high, fill="black", font=font(LETTERS))
