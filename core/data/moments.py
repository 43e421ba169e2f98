"""Moments of each unit's activations: what one pass of reductions inside the network gives."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..errors import ModelError
from ..model.base import Model
from ..model.reduction import KINDS, Reduction, positions_first
from .statistic import Batch, State, Statistic

__all__ = ["Moments", "finite", "lifetime_sparsity", "moments_of", "sparseness"]

Numbers = np.ndarray[Any, Any]
_READ = ("max", "min", "sum", "squares", "zeros")


def sparseness(mean: Numbers, mean_square: Numbers, count: int) -> Numbers:
    """0 where `count` responses are all alike or all zero, 1 where only one is not zero.

    (1 - A) / (1 - 1 / n) with the activity ratio A = mean(r)^2 / mean(r^2) of Rolls and Tovee (1995), as Vinje and
    Gallant (2000) scale it; Treves and Rolls' measure is A. For responses that are not negative.
    """
    known = (mean_square > 0) & (count > 1)
    ratio = np.divide(np.square(mean), mean_square, out=np.ones(np.shape(mean)), where=known)
    return np.asarray((1 - ratio) / (1 - 1 / max(count, 2)))


@dataclass(frozen=True)
class Moments(Statistic):
    """Extrema, sums, sums of squares and zeros of each unit; and of its response to each image, the mean, at least 0.

    An image's positions are added where the network computes, perhaps in float32; images in float64. So a deviation is
    known to about 1e-6 of the root mean square.
    """

    layer: str
    positions: int
    """Of a unit; 0 where they depend on the size of the images: then the activations are read whole."""

    @property
    def layers(self) -> frozenset[str]:
        return frozenset() if self.positions else frozenset({self.layer})

    @property
    def reductions(self) -> frozenset[Reduction]:
        return frozenset(Reduction(self.layer, kind) for kind in _READ) if self.positions else frozenset()

    def empty(self) -> State:
        """Zeros: the first numbers that are added bring the axis of the units."""
        ends = {"max": np.float64(-np.inf), "min": np.float64(np.inf)}
        counts = dict.fromkeys(("images", "values", "zeros", "answered"), np.int64(0))
        sums = dict.fromkeys(("sum", "squares", "responses", "square_responses", "population"), np.float64(0))
        return {**ends, **counts, **sums}

    def add(self, state: State, batch: Batch) -> State:
        read, positions = self._read(batch)
        responses = np.maximum(read["sum"] / positions, 0)
        population = sparseness(responses.mean(axis=1), np.square(responses).mean(axis=1), responses.shape[1])
        added = {
            "max": read["max"].max(axis=0).astype(np.float64),
            "min": read["min"].min(axis=0).astype(np.float64),
            "images": np.int64(len(responses)),
            "values": np.int64(len(responses) * positions),
            "zeros": read["zeros"].sum(axis=0),
            "answered": np.int64(responses.any(axis=1).sum()),
            **{name: read[name].sum(axis=0) for name in ("sum", "squares")},
            "responses": responses.sum(axis=0),
            "square_responses": np.square(responses).sum(axis=0),
            "population": np.float64(population.sum()),
        }
        return self.merge(state, added)

    def _read(self, batch: Batch) -> tuple[dict[str, Numbers], int]:
        """By kind (N, units), and the number of positions."""
        if self.positions:
            return {kind: np.asarray(batch.reduced[Reduction(self.layer, kind)]) for kind in _READ}, self.positions
        values = positions_first(batch.activations[self.layer])
        return {kind: KINDS[kind](values) for kind in _READ}, values.shape[1]

    def merge(self, first: State, second: State) -> State:
        ends = {"max": np.maximum(first["max"], second["max"]), "min": np.minimum(first["min"], second["min"])}
        return {name: ends[name] if name in ends else first[name] + second[name] for name in first}


def moments_of(model: Model, layer: str) -> Moments:
    """Those of a layer, by its canonical name; its positions are known where the model takes images of one size."""
    shape = model.layers[layer].shape
    sizes = shape[1:-1] if len(shape) == 3 else shape[2:]
    fixed = None not in model.input.shape and None not in sizes
    return Moments(layer, prod(int(n or 0) for n in sizes) if fixed else 0)


def finite(layer: str, state: State) -> State:
    """The state, if the network gave finite values only.

    Raises:
        ModelError: it did not.
    """
    if all(np.isfinite(state[name]).all() for name in ("sum", "max", "min")):
        return state
    raise ModelError(
        f"the activations of layer {layer!r} are NaN or infinite for some of the images; look at the network's "
        "weights, and at the preprocessing (preprocess=)"
    )


def lifetime_sparsity(state: State) -> Numbers:
    """Of each unit, over its mean responses to the images, negative ones as 0; 0 where all are."""
    images = int(state["images"])
    return sparseness(state["responses"] / images, state["square_responses"] / images, images)
