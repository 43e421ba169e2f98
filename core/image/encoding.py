"""Pictures as bytes of a file, with the mark that says who made them (`files.own_files`)."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..files.own_files import MARK

__all__ = ["encode_frames", "encode_picture"]

Pixels = np.ndarray[Any, Any]
_SOFTWARE = 0x0131
"""The entry of EXIF data that names the program."""


def encode_picture(pixels: Pixels, form: str, **options: Any) -> bytes:
    """(H, W), (H, W, 3) or (H, W, 4), uint8, as a file; in memory, for Pillow is silent about a disk that is full.

    Args:
        pixels: the picture.
        form: PNG, JPEG, WEBP, GIF or another of Pillow's.
        options: of Pillow's writer.

    Raises:
        ValueError, OSError: Pillow has no such form, or it cannot hold such a picture.
    """
    file = BytesIO()
    Image.fromarray(pixels).save(file, form, **_mark(form), **options)
    return file.getvalue()


def encode_frames(frames: Sequence[Pixels], form: str, duration: int | list[int]) -> bytes:
    """Pictures (H, W, 3), uint8, as an endless animation, GIF or WEBP; `duration` in milliseconds, of each or all."""
    file = BytesIO()
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(file, form, save_all=True, append_images=rest, duration=duration, loop=0, **_mark(form))
    return file.getvalue()


def _mark(form: str) -> dict[str, Any]:
    if form == "PNG":
        text = PngInfo()
        text.add_text("Software", MARK)
        return {"pnginfo": text}
    if form == "WEBP":
        data = Image.Exif()
        data[_SOFTWARE] = MARK
        return {"exif": data.tobytes()}
    return {"comment": MARK.encode()} if form in {"JPEG", "GIF"} else {}
