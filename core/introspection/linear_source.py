"""Where a layer's values come from, if they are values of an earlier layer at other places, times a gain.

Padding, flattening, transposing, cropping, a flip of the channels, the normalisation of the image and of a layer's
units are such steps. Which value goes where is read off gradients: no kind of layer needs to be known by its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import as_numpy, like
from ..execution.batching import batch_limit, slices
from ..model.base import INPUT, Model
from .target_maps import sample_images

__all__ = ["LinearSource", "linear_source", "single_path"]

Values = np.ndarray[Any, Any]

LONGEST = 12
"""Layers that are looked at on the way back."""
_DIGIT = 2048
"""Places are read in two digits of this size: numbers that float32 gradients hold exactly."""
_CLOSE = 1e-3
"""How far two measurements of a gain may differ, as a share of the largest gain."""


@dataclass(frozen=True)
class LinearSource:
    """What each value of an earlier layer becomes in a later one."""

    layer: str
    """The earlier layer; `INPUT` for the image, the network's preprocessing counted in."""
    places: Values
    """Of the earlier layer's shape, without the batch: the flat index in the later one; -1 where it is not read."""
    gains: Values
    """Of the same shape: what the value is multiplied by, 0 where it is not read."""


def single_path(model: Model, layer: str) -> Iterator[str]:
    """The layers that a layer is computed from, nearest first, as long as each reads one layer only.

    Nothing where the backend cannot tell; `INPUT` is the last one where the path leads to the image.
    """
    for _ in range(LONGEST):
        read = () if layer == INPUT else model.reads(layer) or ()
        if len(read) != 1:
            return
        (layer,) = read
        yield layer


def linear_source(model: Model, layer: str, source: str) -> LinearSource | None:
    """How the values of `source` come to `layer`; None where they are mixed, copied, or changed by more than a gain.

    Args:
        model: any network; two noisy images go through it.
        layer: the later layer.
        source: an earlier layer, on the only path that leads to it.
    """
    shape = tuple(n or 0 for n in model.layer(layer).shape[1:])
    count = int(np.prod(shape))
    if not 0 < count < _DIGIT**2:
        return None
    index = np.arange(count)
    check = np.random.default_rng(3).uniform(0.5, 1.5, count)
    codes = np.stack([np.ones(count), index // _DIGIT, index % _DIGIT, check]).astype(np.float32).reshape(-1, *shape)
    first, second = (_pulled_back(model, layer, source, codes, image) for image in _two_images(model))
    gains, scale = first[0], np.abs(first[0]).max()
    if not scale or np.abs(first - second).max() > _CLOSE * np.abs(first).max():
        return None
    read = np.abs(gains) > _CLOSE * scale
    safe = np.where(read, gains, 1)
    high, low = ((digit / safe).round().astype(np.int64) for digit in first[1:3])
    places = np.where(read, high * _DIGIT + low, -1)
    if places.max() >= count or (high[read] < 0).any() or (low[read] < 0).any():
        return None
    expected = np.where(read, gains * check[places.clip(0)], 0)
    if np.abs(expected - first[3]).max() > _CLOSE * scale:
        return None
    return LinearSource(source, places, np.where(read, gains, 0))


def _two_images(model: Model) -> tuple[Values, Values]:
    """Noise, and the same upside down and back to front: other values at almost every place."""
    image = sample_images(model, 1)
    return image, np.ascontiguousarray(image[..., ::-1, ::-1] if image.ndim > 3 else image[..., ::-1])


def _pulled_back(model: Model, layer: str, source: str, codes: Values, image: Values) -> Values:
    """The gradients at `source` of <code, activation of `layer`> for each code, at one image."""
    parts = []
    for start, stop in slices(len(codes), max(1, batch_limit(model))):
        x = model.placed(image.repeat(stop - start, axis=0))
        cotangent = like(codes[start:stop], x)
        parts.append(as_numpy(model.vjp(x, {layer: cotangent}, wrt=[source]).gradients[source]))
    return np.concatenate(parts)
