"""The sheet of an attack: image, change and picture side by side, a line of text under each row."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from ..image.contact_sheet import GAP
from ..image.false_colour import pixels
from ..result.display import Pixels, enlarged
from ..sheets.lettering import line_height, wrap, write

__all__ = ["adversarial_sheet", "magnified"]

LETTERS = 12
"""Size of the letters in pixels."""
SMALLEST = 112
"""Pixels up to which the longer side of a small picture is enlarged, by a whole factor."""


def magnified(change: np.ndarray[Any, Any], bands: Any = None) -> tuple[Pixels, float]:
    """A change (C, H, W) in the unit of [0, 1] as a picture on mid-grey, and the factor by which it is magnified.

    The factor is the largest that keeps every number within the picture's range, so that nothing is cut off.
    """
    largest = float(np.abs(change).max())
    factor = 0.5 / largest if largest else 1.0
    return pixels((0.5 + factor * change).astype(np.float32), (0.0, 1.0), bands), factor


def adversarial_sheet(rows: Sequence[tuple[Sequence[Pixels], str]], last: str = "") -> Pixels:
    """Rows of pictures (H, W, 3) on white, each with its text below, in columns; and a last line.

    Args:
        rows: the pictures of each image, all of one size, and its text.
        last: what stands below all of them.
    """
    drawn = [_row(pictures, text) for pictures, text in rows]
    height, width = max(each.shape[0] for each in drawn), drawn[0].shape[1]
    columns = min(len(drawn), max(1, round(sqrt(len(drawn) * height / width))))
    cells = [_padded(each, height) for each in drawn]
    cells += [_padded(cells[0][:0], height)] * (-len(cells) % columns)
    gap = np.full((height, 3 * GAP, 3), 255, np.uint8)
    lines = [
        np.concatenate([part for cell in cells[n : n + columns] for part in (cell, gap)][:-1], axis=1)
        for n in range(0, len(cells), columns)
    ]
    return np.concatenate([*lines, *([_text(last, lines[0].shape[1])] if last else [])])


def _padded(pixels: Pixels, height: int) -> Pixels:
    """White below, up to this height."""
    rest = np.full((height - pixels.shape[0], *pixels.shape[1:]), 255, np.uint8)
    return np.concatenate([pixels, rest])


def _row(pictures: Sequence[Pixels], text: str) -> Pixels:
    factor = max(1, SMALLEST // max(pictures[0].shape[:2]))
    larger = [enlarged(each, factor) for each in pictures]
    gap = np.full((larger[0].shape[0], GAP, 3), 255, np.uint8)
    row = np.concatenate([part for each in larger for part in (each, gap)][:-1], axis=1)
    return np.concatenate([row, _text(text, row.shape[1])])


def _text(text: str, width: int) -> Pixels:
    lines = wrap(text, width - 4, LETTERS)
    return write(np.full((len(lines) * line_height(LETTERS) + 4, width, 3), 255, np.uint8), lines, 2, 2, LETTERS)
