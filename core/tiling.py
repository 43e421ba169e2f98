"""Pictures of any size before a network that takes one size: seen window by window, so that memory stays bounded."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from .arrays import Array, like, namespace
from .model import INPUT, Model
from .objective import Objective, pullback
from .operators import Crop, Size

__all__ = ["over_mean_size", "tiled_gradient", "windows"]


def windows(size: Size, window: Size) -> Iterator[Crop]:
    """As few windows as cover a picture of `size`, evenly spread, overlapping where they must.

    >>> [crop.corner for crop in windows((4, 10), (4, 6))]
    [(0, 0), (0, 4)]
    """
    tops, lefts = (
        np.rint(np.linspace(0, n - w, ceil(n / w))).astype(int).tolist() for n, w in zip(size, window, strict=True)
    )
    return (Crop(size, window, (top, left)) for top in tops for left in lefts)


def tiled_gradient(model: Model, images: Array, objective: Objective, tile: int) -> tuple[Array, Array]:
    """The gradient of an objective on all windows of images, where windows overlap their mean; and its mean value.

    Args:
        model: one of a fixed size has windows of that size, any other of at most `tile` pixels a side.
        images: (N, C, H, W) of any size; one smaller than a window lies in the middle of mid-grey.
        objective: what the network is asked for at each window.
        tile: in pixels; bounds the memory.

    Returns:
        (N, C, H, W), and (N,): the mean over windows.
    """
    size = images.shape[-2], images.shape[-1]
    height, width = (fixed or min(n, tile) for fixed, n in zip(model.input.shape[1:], size, strict=True))
    canvas = max(size[0], height), max(size[1], width)
    inside = Crop.centre(canvas, size)
    whole = inside.adjoint(images - 0.5) + 0.5
    total, count, values = namespace(whole).zeros_like(whole), np.zeros(canvas), []
    for crop in windows(canvas, (height, width)):
        pull, value = pullback(model, crop.apply(whole), objective)
        total = total + crop.adjoint(like(pull.gradients[INPUT], whole))
        count += crop.adjoint(np.ones(crop.to))
        values.append(like(value, whole))
    return inside.apply(total / like(count, whole)), sum(values[1:], values[0]) / len(values)


def over_mean_size(x: Array) -> Array:
    """x / mean |x| of each picture (N, C, H, W): gradients of any strength become steps of one length; zeros stay."""
    xp = namespace(x)
    return x / (xp.mean(xp.abs(x), axis=(1, 2, 3), keepdims=True) + 1e-12)
