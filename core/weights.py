"""Redrawing weights, for the sanity checks of Adebayo et al. 2018 (https://arxiv.org/abs/1810.03292)."""

from collections.abc import Mapping

import numpy as np

from .arrays import Array, as_numpy

__all__ = ["redraw"]

_STATISTICS = {"mean", "variance"}


def redraw(weights: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Each array drawn anew from a normal distribution with its own mean and deviation, in order of the names.

    A normalisation's running mean and variance are kept: drawn ones would be statistics of nothing.
    """
    return {
        name: _normal(as_numpy(weights[name]), rng) if name not in _STATISTICS else weights[name]
        for name in sorted(weights)
    }


def _normal(values: Array, rng: np.random.Generator) -> Array:
    deviation = float(values.std()) or 1.0
    return (float(values.mean()) + deviation * rng.standard_normal(values.shape)).astype(values.dtype)
