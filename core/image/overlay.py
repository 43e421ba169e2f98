"""A map of numbers drawn in colours over the image that it explains."""

from typing import Any

import numpy as np

from .colormap import colour, full_scale

__all__ = ["opacity", "overlay"]

Pixels = np.ndarray[Any, Any]


def overlay(
    image: Pixels, values: Pixels, limit: float | None = None, strength: float = 0.6, signed: bool | None = None
) -> Pixels:
    """Draw a map in colours over its image: where a value is zero, the image shows through in grey.

    Args:
        image: (C, H, W), in [0, 1].
        values: (H, W), any unit. Values that are all above zero are drawn from the smallest one on, unless `limit` is
            given: a constant that is added does not change the picture.
        limit: the magnitude at the end of the colour scale; `full_scale(values)` if None.
        strength: how much of the image the strongest colour covers, 0 to 1.
        signed: whether the scale has two sides; True for values of both signs if None.

    Returns:
        (H, W, 3), uint8.
    """
    if limit is None and not signed and values.size and values.min() > 0:
        values = values - values.min()
    luma = image.mean(axis=0) if image.shape[0] != 3 else np.tensordot([0.299, 0.587, 0.114], image, axes=1)
    limit = limit or full_scale(values)
    cover = opacity(values / limit, strength)[..., None]
    mixed: Pixels = (1 - cover) * 255 * luma[..., None].clip(0, 1) + cover * colour(values, limit, signed)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def opacity(share: Pixels, strength: float = 0.6) -> Pixels:
    """How much of the image under it the colour of a value covers, 0.1 at zero; `share` is the value over the limit."""
    return np.asarray(strength * np.abs(share).clip(0, 1) ** 0.7 + 0.1)
