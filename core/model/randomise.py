"""Redrawing weights, for the sanity checks of Adebayo et al. 2018 (https://arxiv.org/abs/1810.03292)."""

from collections.abc import Iterable, Mapping

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import LayerError
from .backend import BackendModel

__all__ = ["redraw", "redrawn_layers"]

_STATISTICS = {"mean", "variance"}


def redraw(weights: Mapping[str, Array], rng: "np.random.Generator") -> dict[str, Array]:
    """Each array drawn anew from a normal distribution with its own mean and deviation, in order of the names.

    A normalisation's running mean and variance are kept: drawn ones would be statistics of nothing.
    """
    return {
        name: _normal(as_numpy(weights[name]), rng) if name not in _STATISTICS else weights[name]
        for name in sorted(weights)
    }


def redrawn_layers(model: BackendModel, names: Iterable[str], seed: int) -> dict[str, dict[str, Array]]:
    """New weights for each of these layers, which the seed and the layer's position decide.

    Raises:
        LayerError: a layer has no weights.
    """
    changed = {}
    for position, name in enumerate(names):
        weights = model.weights(name)
        if not weights:
            weighted = [each for each in model.layers if model.weights(each)]
            some = ", ".join(weighted[:4]) + f" and {len(weighted) - 4} more" * (len(weighted) > 4)
            raise LayerError(f"layer {name!r} has no weights to redraw; layers with weights: {some}")
        changed[name] = redraw(weights, np.random.default_rng([seed, position]))
    return changed


def _normal(values: Array, rng: "np.random.Generator") -> Array:
    deviation = float(values.std()) or 1.0
    return (float(values.mean()) + deviation * rng.standard_normal(values.shape)).astype(values.dtype)
