"""Pictures as data URLs: WebP for photographs and drawings, many small ones in one sheet."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..image.encoding import encode_picture

__all__ = ["encoded_floats", "picture_sheet", "picture_url"]

Pixels = np.ndarray[Any, Any]
QUALITY = 80
ACROSS = 8
EFFORT = 4


def picture_url(pixels: Pixels, *, quality: int = QUALITY, lossless: bool = False, effort: int = EFFORT) -> str:
    """(H, W, 3), uint8, as the URL of a WebP picture.

    Args:
        pixels: the picture.
        quality: 0 to 100.
        lossless: for few colours or few pixels, kernels for example.
        effort: of the encoder, 0 to 6: time against bytes.
    """
    options = {"lossless": True} if lossless else {"quality": quality}
    return "data:image/webp;base64," + b64encode(encode_picture(pixels, "WEBP", method=effort, **options)).decode()


def picture_sheet(
    tiles: Sequence[Pixels],
    *,
    across: int = ACROSS,
    quality: int = QUALITY,
    lossless: bool = False,
    effort: int = EFFORT,
) -> Mapping[str, Any]:
    """Pictures of one size as a `Sheet` of data.ts.

    Args:
        tiles: (h, w, 3), uint8, at least one.
        across: in a row, at most.
        quality, lossless, effort: as `picture_url` takes them.
    """
    height, width = tiles[0].shape[:2]
    across = min(across, len(tiles))
    rows = -(-len(tiles) // across)
    sheet = np.full((rows * height, across * width, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // across * height, place % across * width
        sheet[top : top + height, left : left + width] = tile
    url = picture_url(sheet, quality=quality, lossless=lossless, effort=effort)
    return {"image": url, "width": width, "height": height, "across": across, "count": len(tiles)}


def encoded_floats(values: Any) -> str:
    """(N,) as base64 of little-endian float32."""
    return b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
