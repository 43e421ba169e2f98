"""Showing results: one line of text, a map as a picture in one of three forms, PNG for notebooks."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ParameterError, unknown_name

__all__ = ["FORMS", "check_form", "counted", "grey", "magnitude_limit", "one_line", "png"]

Pixels = np.ndarray[Any, Any]
FORMS = {
    "magnitude": "how strongly each pixel counts, in grey: absolute values of its channels added up, the top 1 % white",
    "signed": "red for the target, blue against it, on white",
    "overlay": "the colours laid over the picture",
}
"""How an attribution can be drawn. PAIR's saliency and SmoothGrad (Smilkov et al. 2017) draw magnitudes so."""
SMALLEST = 224
"""Pixels that the longer side of a picture has in a notebook, at least; smaller ones are enlarged by whole factors."""


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


def png(pixels: Pixels) -> bytes:
    """(H, W, 3) uint8 as a PNG; small pictures enlarged, each pixel a square, so that they can be seen."""
    factor = max(1, SMALLEST // max(pixels.shape[:2]))
    file = BytesIO()
    Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1)).save(file, "PNG")
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
