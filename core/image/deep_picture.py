"""Pillow's grey pictures of more than 8 bits a pixel: what is white in them."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..model.input_spec import InputSpec
from .array_picture import pictures_of_array

__all__ = ["shares_of_floats", "to_eight_bits"]

_EIGHT_BITS = (np.arange(65536) / 65535 * 255).round().astype(np.uint8)
"""By a number of 16 bits that of 8 bits nearest to it, as a share of white."""


def shares_of_floats(picture: Image.Image, spec: InputSpec) -> np.ndarray[Any, Any]:
    """A picture of floats, which lie in the bounds of `spec` as those of an array do: (1, H, W) float32 in [0, 1].

    Raises:
        ImageError: NaN, or values out of the bounds.
    """
    values = np.asarray(picture, np.float32)
    if not np.isfinite(values).all():
        raise ImageError(f"the picture ({picture.size[0]} x {picture.size[1]} floats) holds NaN or infinite values")
    (shares,) = pictures_of_array(values[None], replace(spec, shape=(1, None, None)))
    return shares


def to_eight_bits(picture: Image.Image) -> Image.Image:
    """A picture of whole numbers to 65535, which Pillow would clip to 255, scaled to 8 bits; others as they are.

    Raises:
        ImageError: values that 16 bits do not hold, or that 8 bits would, so that 255 may be white.
    """
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535 or 0 < high <= 255:
        code = "np.asarray(picture).astype('uint8')" if low >= 0 and high <= 255 else "an array of uint16"
        raise ImageError(
            f"the picture (Pillow's mode {picture.mode!r}) holds whole numbers from {low:g} to {high:g}, and white is "
            f"65535 in such pictures: give {code}"
        )
    return Image.fromarray(_EIGHT_BITS[values])
