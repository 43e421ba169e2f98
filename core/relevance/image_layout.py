"""Whether a layer lays the image out, so that relevance of its values is relevance of pixels."""

import numpy as np

from ..arrays import as_numpy
from ..model.base import INPUT, Model

__all__ = ["lays_out_image"]

_IMAGES = 8
_ROUNDING = 1e-3
"""Of the span between a value at a black image and at a white one."""


def lays_out_image(model: Model, layer: str) -> bool:
    """Whether a layer holds pixels, or means or maxima of some, each with a gain and an offset of its own.

    Normalisations, borders, cuts, patches, poolings and changes of size do; what a convolution gives is none. Seen from
    images of black and white pixels: with 0 at a black image and 1 at a white one, each value must lie between.

    Args:
        model: the network.
        layer: a layer of it, or `INPUT`.
    """
    if layer == INPUT:
        return True
    low, high = model.input.bounds or (0.0, 1.0)
    shape = model.input.example_shape
    pixels = np.random.default_rng(0).random((_IMAGES, *shape)) < 0.5
    images = np.concatenate([np.zeros((1, *shape), bool), np.ones((1, *shape), bool), pixels])
    values = as_numpy(model.forward(np.where(images, high, low).astype(np.float32), [layer])[layer]).astype(np.float64)
    rises = (values[2:] - values[0]) * np.sign(values[1] - values[0])
    span = np.abs(values[1] - values[0])
    rounding = _ROUNDING * span.max(initial=0)
    constant = (values[2:] == values[0]) | (span > 0)
    return bool(((rises >= -rounding) & (rises <= span + rounding) & constant).all())
