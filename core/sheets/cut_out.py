"""Parts of pictures: a rectangle that may leave the picture, and pictures made smaller."""

from typing import Any

import numpy as np
from PIL import Image

__all__ = ["cut_out", "shrunk"]

Numbers = np.ndarray[Any, Any]


def cut_out(values: Numbers, rectangle: tuple[int, int, int, int], fill: float = 0) -> Numbers:
    """A rectangle of values (..., H, W), as large as it is asked for.

    Args:
        values: (..., H, W).
        rectangle: top, left, bottom, right; half-open; it may leave the picture.
        fill: what stands beyond it.
    """
    top, left, bottom, right = rectangle
    height, width = values.shape[-2:]
    out = np.full((*values.shape[:-2], bottom - top, right - left), fill, values.dtype)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    inside = values[..., rows, columns]
    if inside.size:
        y, x = rows.start - top, columns.start - left
        out[..., y : y + inside.shape[-2], x : x + inside.shape[-1]] = inside
    return out


def shrunk(pixels: Numbers, size: int) -> Numbers:
    """A picture (H, W, 3), uint8, made smaller until its longer side is at most `size` pixels; others as they are."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= size:
        return pixels
    smaller = (max(1, round(width * size / longer)), max(1, round(height * size / longer)))
    return np.array(Image.fromarray(pixels).resize(smaller, Image.Resampling.LANCZOS))
