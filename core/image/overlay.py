"""A map of numbers drawn in colours over the image that it explains."""

from typing import Any

import numpy as np

from .colormap import colour, full_scale

__all__ = ["opacity", "overlay"]

Pixels = np.ndarray[Any, Any]


def overlay(
    image: Pixels, values: Pixels, limit: float | None = None, strength: float = 0.6, signed: bool | None = None
) -> Pixels:
    """A map (H, W) laid over its image (C, H, W) in [0, 1]; (H, W, 3), uint8.

    The stronger the value, the more the colour covers: where it is zero the picture shows through in grey. Values that
    are all above zero are drawn from the least of them, unless `limit` is given: a constant added changes no picture.
    """
    if limit is None and not signed and values.size and values.min() > 0:
        values = values - values.min()
    luma = image.mean(axis=0) if image.shape[0] != 3 else np.tensordot([0.299, 0.587, 0.114], image, axes=1)
    limit = limit or full_scale(values)
    cover = opacity(values / limit, strength)[..., None]
    mixed: Pixels = (1 - cover) * 255 * luma[..., None].clip(0, 1) + cover * colour(values, limit, signed)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def opacity(share: Pixels, strength: float = 0.6) -> Pixels:
    """How far the colour of a value, as a share of the scale's end, covers the picture under it: 0.1 at zero."""
    return np.asarray(strength * np.abs(share).clip(0, 1) ** 0.7 + 0.1)
