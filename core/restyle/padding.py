"""Pictures made larger by reflection, so that a network takes their size, and cut back."""

import numpy as np
from array_api_compat import device

from ..arrays import Array, namespace
from ..operators import Size

__all__ = ["reflect_to", "rounded_up"]


def reflect_to(images: Array, size: Size) -> Array:
    """Pictures (N, C, h, w) continued below and to the right by their mirror images, up to (H, W); (h, w) if larger."""
    for axis, wanted in zip((2, 3), size, strict=True):
        if (own := images.shape[axis]) < wanted:
            xp = namespace(images)
            images = xp.take(images, xp.asarray(_mirrored(own, wanted), device=device(images)), axis=axis)
    return images


def _mirrored(own: int, wanted: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """0, 1, ..., own - 1, own - 2, ..., 0, 1 and so on: the border itself is not repeated.

    >>> _mirrored(3, 7).tolist()
    [0, 1, 2, 1, 0, 1, 2]
    """
    period = max(2 * (own - 1), 1)
    place = np.arange(wanted) % period
    return np.minimum(place, period - place) if own > 1 else np.zeros(wanted, np.int64)


def rounded_up(size: Size, multiple: int, least: int = 1) -> Size:
    """(H, W) with each side the next multiple, and at least so many pixels."""
    height, width = (-(-max(side, least) // multiple) * multiple for side in size)
    return height, width
