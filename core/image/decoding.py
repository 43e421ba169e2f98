"""Encoded pictures, in files and as bytes, as Pillow's images."""

import struct
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import ImageError

__all__ = ["BROKEN", "decode_picture", "open_picture"]

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""Formats that are read, whatever the file's suffix; for some others Pillow starts programs such as Ghostscript."""

BROKEN = (OSError, SyntaxError, ValueError, TypeError, struct.error, Image.DecompressionBombError)
"""Errors that Pillow raises for damaged files."""


def open_picture(path: Path) -> Image.Image:
    """One of Pillow's images from a file, its pixels loaded.

    Raises:
        ImageError: the file does not exist, or is not a picture.
    """
    try:
        return _loaded(path)
    except FileNotFoundError as error:
        raise ImageError(f"no picture at '{path}': the file does not exist") from error
    except IsADirectoryError as error:
        raise ImageError(f"'{path}' is a folder, not a picture") from error
    except BROKEN as error:
        raise _refusal(path, error) from error


def decode_picture(content: bytes, name: str) -> Image.Image:
    """One of Pillow's images from the bytes of a file, its pixels loaded.

    Args:
        content: what the file holds.
        name: of the picture, for errors.

    Raises:
        ImageError: it is not a picture, or a TIFF of several pages.
    """
    try:
        picture = _loaded(BytesIO(content))
        pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    except BROKEN as error:
        raise _refusal(name, error) from error
    if pages > 1:
        raise ImageError(f"'{name}' is a TIFF of several pages: save each as a picture, or all as .npy")
    return picture


def _loaded(file: Path | BytesIO) -> Image.Image:
    with Image.open(file, formats=_formats()) as picture:
        picture.load()
        return picture.copy() if picture.getexif() is None else picture


def _refusal(name: str | Path, error: Exception) -> ImageError:
    if isinstance(error, UnidentifiedImageError):
        return ImageError(f"'{name}' is not a picture that Pillow can read as {', '.join(_formats())}")
    return ImageError(f"'{name}' is not a picture that Pillow can read ({error})")


@cache
def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]
