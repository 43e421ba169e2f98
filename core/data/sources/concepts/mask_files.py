"""Masks in files: pictures whose pixels are numbers."""

from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from ....errors import ImageError
from ....image.decoding import decoding, open_picture, upright
from ....reading.text_file import read_content
from .label_maps import Numbers, Size, refuse_another_size

__all__ = ["MASKS", "mask_digest", "mask_void", "numbers_of", "read_mask"]

MASKS = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif", ".pgm"})
"""The endings of files that may hold masks; JPEG changes numbers."""


def read_mask(path: Path, size: Size) -> Image.Image:
    """One of Pillow's images of a mask, upright, that covers a picture of this size.

    Raises:
        ImageError: it cannot be read, is a JPEG file, or has another size.
    """
    picture = open_picture(path)
    if picture.format in {"JPEG", "MPO"}:
        raise ImageError(f"'{path}' is a JPEG file, which changes the numbers of a mask: save it as PNG")
    with decoding(path):
        picture = upright(picture)
    refuse_another_size(f"'{path}'", (picture.height, picture.width), size)
    return picture


def numbers_of(mask: Image.Image, path: Path) -> Numbers:
    """The number at each pixel, (h, w): of a palette's pixels their places in it, of black and white 0 and 1.

    Raises:
        ImageError: it is a picture in colours.
    """
    if mask.mode not in {"1", "L", "P"} and not mask.mode.startswith("I"):
        raise ImageError(
            f"'{path}' is a picture of bands {', '.join(mask.getbands())}; a mask has one number for each pixel: save "
            "it in grey of 8 or 16 bits, or with a palette"
        )
    return np.asarray(mask).astype(np.int64)


def mask_void(mask: Image.Image) -> int:
    """The number that means unlabelled beside 0: white, of 8 or of 16 bits; of black and white none, -1."""
    return {"1": -1, "L": 255, "P": 255}.get(mask.mode, 65535)


def mask_digest(path: Path) -> bytes:
    """Of the file's bytes; empty where it cannot be read, which is told when it is needed."""
    try:
        return blake2b(read_content(path, ImageError, "mask"), digest_size=16).digest()
    except ImageError:
        return b""
