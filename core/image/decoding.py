"""Encoded pictures, in files and as bytes, as Pillow's images: nothing in them is trusted.

Whatever Pillow raises becomes one `ImageError`, and a declared size is compared with the memory limit beforehand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from ..errors import CrosslensError, ImageError, MemoryLimitError
from ..limits.memory import check_memory
from ..limits.regular_file import check_regular_file
from ..reading.array_file import one_line
from ..reading.quiet import quiet_readers

__all__ = ["decode_picture", "decoding", "has_frames", "load_pixels", "open_picture", "opened_picture", "upright"]

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""Formats that are read, whatever the file's suffix; for some others Pillow starts programs such as Ghostscript."""

_DECODER = {"WEBP": 12, "AVIF": 12, "JPEG2000": 16, "JPEG": 6, "MPO": 6, "TIFF": 4}
"""Bytes for each pixel that decoders of these formats take at most beside the picture, by measurement."""
_READ_WHOLE = ("WEBP", "AVIF")
"""Formats whose files are read into memory."""
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF's tag 274, the orientation."""


@contextmanager
def decoding(name: object) -> Iterator[None]:
    """Errors of what Pillow does with a picture, as one of ours in one line; its warnings are kept back.

    Args:
        name: of the picture, for errors; None for one in memory.

    Raises:
        ImageError: the picture is damaged, no picture, or larger than the memory limit allows.
    """
    try:
        with quiet_readers():
            yield
    except MemoryLimitError as error:
        raise ImageError(str(error)) from error
    except CrosslensError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise anything: struct.error, ZeroDivisionError ...
        raise _refusal(name, error) from error


def open_picture(path: Path) -> Image.Image:
    """One of Pillow's images from a file, its pixels loaded.

    Raises:
        ImageError: the file does not exist, is a folder, a pipe or a device, or is not a picture.
    """
    with opened_picture(path) as picture, decoding(path):
        return load_pixels(picture, path)


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """One of Pillow's images from a file that is open as long as the block lasts; no pixels are loaded.

    Raises:
        ImageError: the file does not exist, is a folder, a pipe or a device, or is not a picture.
    """
    check_regular_file(path, ImageError, "picture")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ImageError(f"cannot read the picture '{path}': {error.strerror}") from error
    with file:
        with decoding(path):
            picture = _identified(file, path)
        yield picture


def decode_picture(content: bytes, name: str) -> Image.Image:
    """One of Pillow's images from the bytes of a file, its pixels loaded.

    Args:
        content: what the file holds.
        name: of the picture, for errors.

    Raises:
        ImageError: it is not a picture, or a TIFF of several pages.
    """
    with decoding(name):
        picture = _identified(BytesIO(content), name)
        if picture.format == "TIFF" and has_frames(picture):
            raise ImageError(f"'{name}' is a TIFF of several pages: save each as a picture, or all as .npy")
        return load_pixels(picture, name)


def has_frames(picture: Image.Image) -> bool:
    """Whether there is a second frame or page; the picture stands at its first one then. Others are not counted."""
    try:
        picture.seek(1)
    except EOFError:
        return False
    picture.seek(0)
    return True


def load_pixels(picture: Image.Image, name: object, beside: int = 0) -> Image.Image:
    """The picture with its pixels loaded, if the memory limit allows it.

    Args:
        picture: perhaps not yet loaded.
        name: of the picture, for errors.
        beside: bytes that what follows will take.

    Raises:
        ValueError: it has none.
        MemoryLimitError: its declared size is too large.
    """
    width, height = picture.size
    if not width or not height:
        raise ValueError("it has no pixels")
    encoded = bool(getattr(picture, "tile", None))
    decoded = _bytes_per_pixel(picture.mode) + _DECODER.get(picture.format or "", 0) if encoded else 0
    what = "the picture" if name is None else f"'{name}'"
    check_memory(width * height * decoded + beside, f"{what}, {width} x {height} pixels,", "give a smaller picture")
    if encoded:
        picture.load()
        picture.getexif()  # as long as its file is open
    return picture


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF data says; itself where it is upright."""
    method = _TURNED.get(picture.getexif().get(274, 1))
    return picture if method is None else picture.transpose(method)


def _bytes_per_pixel(mode: str) -> int:
    return 1 if mode in {"1", "L", "P"} else 2 if mode.startswith("I;16") else 4


def _identified(file: IO[bytes], name: object) -> Image.Image:
    """The picture of the format whose mark the file begins with.

    `PIL.Image.open` does the same, and compares the size with a limit of its own.
    """
    start = file.read(16)
    for kind in _formats():
        factory, accepts = Image.OPEN[kind]
        if accepts is not None and accepts(start) is not True:
            continue
        if kind in _READ_WHOLE:
            check_memory(2 * file.seek(0, 2), f"'{name}'", "give a smaller picture")
        file.seek(0)
        return factory(file, str(name))
    raise UnidentifiedImageError


def _refusal(name: object, error: Exception) -> ImageError:
    what = "the picture" if name is None else f"'{name}'"
    if isinstance(error, UnidentifiedImageError):
        return ImageError(f"{what} is not a picture that Pillow can read as {', '.join(_formats())}")
    return ImageError(f"{what} is not a picture that Pillow can read ({one_line(error)})")


@cache
def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]
