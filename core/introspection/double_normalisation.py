"""Double normalisation: a network that normalises its images itself, behind a preprocessing that does so too."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..model.base import INPUT, OUTPUT, Model

__all__ = ["normalised_twice"]

PIXELS = 0.05
"""A factor below this one is meant for pixels from 0 to 255."""
_TOLERANCE = 1e-3


def normalised_twice(model: Model) -> tuple[str, str] | None:
    """The layer at which the network has normalised its image itself, and the preprocessing that suits it.

    Such a layer has the image's shape and no weights, is computed from the image alone, and is an affine map of each
    channel. None if there is none, if the preprocessing only scales, or if the backend cannot tell what layers read.
    """
    if model.input.bounds is None or not np.any(model.preprocess.affine(model.input.example_shape[0])[1]):
        return None
    names = list(_entering(model))
    by_layer = {}
    if names:
        unit = np.asarray([0.25, 0.5, 0.75], np.float32).reshape(-1, *[1] * len(model.input.example_shape))
        x = model.input.from_unit(np.broadcast_to(unit, (3, *model.input.example_shape)).copy())
        gain, offset = model.preprocess.along(x)
        entering = gain * (x[:, ::-1] if model.preprocess.reverses else x) + offset
        activations = model.forward(x, names)
        by_layer = {name: _factor(entering, as_numpy(activations[name])) for name in names}
    factors = {name: factor for name, factor in by_layer.items() if factor is not None}
    if not factors:
        return None
    name = list(factors)[-1]
    return name, "'raw255'" if factors[name] < PIXELS else "None"


def _entering(model: Model) -> Iterator[str]:
    """The layers without weights, of the image's shape, that are computed from the image alone, in order."""
    image = {INPUT}
    for name, layer in model.layers.items():
        reads = None if name in {INPUT, OUTPUT} else model.reads(name)
        of_image = bool(reads) and image.issuperset(reads or ()) and layer.shape[1:] == model.input.example_shape
        if of_image and not model.weights(name):
            image.add(name)
            yield name


def _factor(before: Any, after: Any) -> float | None:
    """The largest factor of an affine map of each channel, of three even steps; None for the identity and any other."""
    low, middle, high = (v.reshape(v.shape[0], v.shape[1], -1) for v in (after[:1], after[1:2], after[2:]))
    size = float(np.abs(after).max()) or 1.0
    if np.ptp(after.reshape(*after.shape[:2], -1), axis=2).max() > _TOLERANCE * size:
        return None
    if np.abs(low + high - 2 * middle).max() > _TOLERANCE * size:
        return None
    first, last = (v.reshape(v.shape[0], v.shape[1], -1) for v in (before[:1], before[2:]))
    factor = ((high - low) / (last - first)).mean(axis=2)
    rest = low.mean(axis=2) - factor * first.mean(axis=2)
    normalises = np.abs(rest).max() > _TOLERANCE or np.abs(factor).max() < PIXELS
    return float(np.abs(factor).max()) if normalises else None
