"""Showing results: one line of text, a map as a picture in one of three forms, PNG for notebooks."""

from collections.abc import Iterable
from io import BytesIO
from math import ceil, sqrt
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ParameterError, unknown_name
from ..image.contact_sheet import GAP

__all__ = [
    "FORMS", "Pixels", "check_form", "counted", "enlarged", "grey", "magnitude_limit", "one_line", "png",
    "visible_factor",
]  # fmt: skip

Pixels = np.ndarray[Any, Any]
FORMS = {
    "magnitude": "how strongly each pixel counts, in grey: absolute values of its channels added up, the top 1 % white",
    "signed": "red for the target, blue against it, on white",
    "overlay": "the colours laid over the picture",
}
"""How an attribution can be drawn. PAIR's saliency and SmoothGrad (Smilkov et al. 2017) draw magnitudes so."""
SMALLEST = 224
"""Pixels up to which the longer side of a small picture is enlarged, by a whole factor."""


def check_form(form: str | None) -> None:
    """Refuse a form that does not exist.

    Raises:
        ParameterError: with the forms there are.
    """
    if form is not None and form not in FORMS:
        raise ParameterError(unknown_name("form", form, FORMS))


def magnitude_limit(values: Pixels) -> float:
    """The magnitude that is drawn white: 99 % of the values are less; the largest where that is 0."""
    return float(np.quantile(values, 0.99)) or float(values.max()) or 1.0


def grey(values: Pixels, limit: float | None = None) -> Pixels:
    """Magnitudes (H, W) from black at 0 to white at `limit`, (H, W, 3) uint8; see `magnitude_limit`."""
    share = (values / (limit or magnitude_limit(values))).clip(0, 1)
    return np.asarray((share[..., None].repeat(3, axis=-1) * 255).round(), np.uint8)


def enlarged(pixels: Pixels, factor: int) -> Pixels:
    """(H, W, 3) with each pixel a square of `factor` pixels."""
    return pixels if factor == 1 else pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def visible_factor(pixels: Pixels, pictures: int = 1) -> int:
    """The whole number by which a sheet of so many pictures is enlarged, so that each of them can be seen."""
    columns = ceil(sqrt(max(pictures, 1)))
    rows = ceil(max(pictures, 1) / columns)
    height, width = ((n + GAP) // m - GAP for n, m in zip(pixels.shape[:2], (rows, columns), strict=True))
    return max(1, SMALLEST // max(int(height), int(width), 1))


def png(pixels: Pixels, pictures: int = 1) -> bytes:
    """(H, W, 3) uint8 as a PNG; small pictures enlarged, each pixel a square, so that they can be seen."""
    file = BytesIO()
    Image.fromarray(enlarged(pixels, visible_factor(pixels, pictures))).save(file, "PNG")
    return file.getvalue()


def one_line(what: str, parts: Iterable[str]) -> str:
    """A representation of one line: <Attribution of grad_cam: values (1, 7, 7), 1 note>."""
    said = ", ".join(part for part in parts if part)
    return " ".join(f"<{what}{': ' * bool(said)}{said}>".split())


def counted(count: int, noun: str) -> str:
    """A number and its noun; empty for none.

    >>> counted(2, "image"), counted(1, "note"), counted(0, "note")
    ('2 images', '1 note', '')
    """
    return f"{count} {noun}" + "s" * (count != 1) if count else ""
