"""Crops: what a position of a layer sees of an image, in a square of a few pixels."""

from typing import Any

import numpy as np
from PIL import Image

from ...sheets.cut_out import cut_out

__all__ = ["GREY", "SIDE", "field_size", "field_window", "fitted", "receptive_crop"]

Pixels = np.ndarray[Any, Any]
Rectangle = tuple[int, int, int, int]
SIDE = 72
"""Pixels of a crop's side: 32 crops of a unit are then about 25 kB."""
GREY = 128
"""What is not seen."""
REDUCED = 2.0
"""Times its size to which a large picture is averaged before it is resized: a third of the time for the same to see."""
PLAIN = 2.0
"""From so many times its size on, a field is enlarged so that its pixels can be seen."""


def field_size(rectangles: Pixels) -> tuple[int, int]:
    """Height and width of the largest of rectangles (..., 4): what a position sees that no edge of the image cuts."""
    flat = rectangles.reshape(-1, 4)
    height, width = ((flat[:, axis + 2] - flat[:, axis]).max(initial=1) for axis in (0, 1))
    return max(int(height), 1), max(int(width), 1)


def field_window(rectangle: Rectangle, field: tuple[int, int], image: tuple[int, int]) -> Rectangle:
    """The window in which a rectangle is shown: of the field's size, as if the image went on beyond its edges.

    Args:
        rectangle: top, left, bottom, right of what is seen, within the image.
        field: height and width of the whole field.
        image: (H, W); a field that is as long as the image is shown in the place that it has there.
    """
    spans = []
    for start, stop, length, side in zip(rectangle[:2], rectangle[2:], field, image, strict=True):
        if length >= side:
            spans.append((0, side))
        elif start == 0 and stop < length:
            spans.append((stop - length, stop))
        else:
            spans.append((start, start + length))
    (top, bottom), (left, right) = spans
    return top, left, bottom, right


def receptive_crop(picture: Pixels | None, rectangle: Rectangle, field: tuple[int, int], side: int = SIDE) -> Pixels:
    """What a position sees of a picture, (side, side, 3): white where there is no picture, grey where nothing is seen.

    Args:
        picture: (H, W, 3), uint8; None where it cannot be read.
        rectangle: top, left, bottom, right in pixels of the picture.
        field: height and width of the layer's whole field, see `field_size`.
        side: of the crop.
    """
    if picture is None:
        return np.full((side, side, 3), 255, np.uint8)
    window = field_window(rectangle, field, picture.shape[:2])
    top, left, bottom, right = window
    if window == rectangle:
        return fitted(picture[top:bottom, left:right], side)
    seen = np.full((bottom - top, right - left, 3), GREY, np.uint8)
    y, x, end_y, end_x = rectangle
    part = picture[y:end_y, x:end_x]
    seen[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] = part
    return fitted(seen, side)


def fitted(picture: Pixels, side: int) -> Pixels:
    """A picture (H, W, 3), uint8, in a square (side, side, 3), as large as it can be, grey beside it.

    Small ones are enlarged pixel by pixel, as sharp squares.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= PLAIN:
        times = int(np.ceil(scale))
        picture = picture.repeat(times, axis=0).repeat(times, axis=1)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    filtering = Image.Resampling.HAMMING if min(picture.shape[:2]) >= min(size) else Image.Resampling.BICUBIC
    inside = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, filtering, reducing_gap=REDUCED))
    if inside.shape[:2] == (side, side):
        return inside
    top, left = (side - inside.shape[0]) // 2, (side - inside.shape[1]) // 2
    square = cut_out(np.moveaxis(inside, -1, 0), (-top, -left, side - top, side - left), GREY)
    return np.moveaxis(square, 0, -1)
