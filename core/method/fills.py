"""Fills: what replaces the part of an image, or of a layer's maps, that a method covers."""

from typing import TypeAlias

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError
from ..model import INPUT, Model
from .baselines import BLUR, NAMES, baselines, gaussian_blur

__all__ = ["FILL_DOC", "Fill", "fill_image"]

Fill: TypeAlias = float | tuple[float, ...] | str | Array
"""A number, one per channel, a name (`NAMES`, "mean"), a picture's file, or one image as an array."""
FILL_DOC = "a number, a colour (r,g,b), mean (the image's own), blurred, black, white, grey, noise or a picture's file"
"""For a parameter's text."""


def fill_image(fill: Fill, x: Array, model: Model, seed: int, layer: str = INPUT) -> Array:
    """The image that is seen where everything is covered.

    Args:
        fill: as `Fill` says; at a layer of the network only numbers, "mean" and "blurred" mean anything.
        x: one image, or its maps at `layer`, (1, C, H, W).
        model: the network; its bounds are what black and white mean.
        seed: of "noise".
        layer: what `x` is.

    Returns:
        Shape (1, C, H, W). "mean" is each channel's mean over the positions of this image.

    Raises:
        ParameterError: no such fill, not one number per channel, or a number that no image holds.
    """
    xp = namespace(x)
    if isinstance(fill, int | float | tuple | list):
        return xp.zeros_like(x) + _colour(fill, x, model, layer)
    if isinstance(fill, str) and fill == "mean":
        return xp.zeros_like(x) + xp.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)
    if layer != INPUT:
        return _layer_fill(fill, x, layer)
    if isinstance(fill, str) and fill not in NAMES and "." not in fill:
        raise ParameterError(f"no fill {fill!r}; give {FILL_DOC}")
    images = baselines(fill, x, model, seed)
    if images.shape[0] != 1:
        raise ParameterError(f"the fill holds {images.shape[0]} images; give one, (C, H, W)")
    return images


def _colour(fill: Fill, x: Array, model: Model, layer: str) -> Array:
    """(1, 1 or C, 1, 1)"""
    values = np.atleast_1d(np.asarray(fill, np.float32))
    channels = x.shape[1]
    if values.shape not in {(1,), (channels,)}:
        raise ParameterError(f"fill {fill} has {values.size} numbers; give one, or one for each of {channels} channels")
    low, high = (model.input.bounds if layer == INPUT else None) or (-np.inf, np.inf)
    if not (np.isfinite(values).all() and low <= values.min() and values.max() <= high):
        raise ParameterError(f"fill is {fill}; a finite number within {low:g} and {high:g}, as the images are")
    return like(values.reshape(1, -1, *[1] * (x.ndim - 2)), x)


def _layer_fill(fill: Fill, maps: Array, layer: str) -> Array:
    if isinstance(fill, str) and fill == "blurred":
        return gaussian_blur(maps, max(BLUR * max(maps.shape[2:]), 1.0))
    raise ParameterError(f"the fill {fill!r} means nothing at layer {layer!r}; give a number, 'mean' or 'blurred'")
