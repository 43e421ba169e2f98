"""Random positions of a layer, a bounded number over all images, with what its units answer there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...arrays import as_numpy
from ...errors import ModelError, ParameterError
from ...model.reduction import positions_first
from ..statistic import Batch, State, Statistic
from .random_keys import image_key, position_keys

__all__ = ["SampledPositions"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SampledPositions(Statistic):
    """The activations of all units at random positions, at most `count` over all images, as Carter et al. (2019) take.

    Each position has a key, a hash of the seed, the image's id and the position. Of each image those `per_image` with
    the smallest keys are candidates; of all candidates the `count` with the smallest keys stay. So the sample depends
    on nothing but the ids: neither on the order of the images nor on how they were cut into batches and shards.

    The state holds n rows, the smallest key first: "key" (n,) uint64, "image" (n,) int64, the image's index in the
    source, "position" (n,) int64, counted row by row over the whole map, and "activation" (n, units) float32.
    """

    layer: str
    """By its canonical name."""
    count: int
    seed: int = 0
    edge: int = 1
    """Positions nearer to the edge of a map than this are not taken; 0 takes all. Tokens and vectors have no edge."""
    per_image: int = 1
    any_grouping: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, least in (("count", 1), ("per_image", 1), ("edge", 0)):
            if getattr(self, name) < least:
                raise ParameterError(f"{name} is {getattr(self, name)}; give a whole number, at least {least}")

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def empty(self) -> State:
        """No units: the first batch that is added brings their number."""
        nothing = np.zeros(0, np.int64)
        rows = np.zeros((0, 0), np.float32)
        return {"key": nothing.astype(np.uint64), "image": nothing, "position": nothing, "activation": rows}

    def candidates(self, ids: Sequence[str], shape: tuple[int, ...]) -> tuple[Numbers, Numbers]:
        """The keys and the positions of each image's candidates, the smallest key first: both (N, per image).

        Args:
            ids: of N images.
            shape: of their activations.
        """
        inner = self._inner(shape)
        starts = np.array([image_key(self.seed, each) for each in ids], np.uint64)
        keys = position_keys(starts[:, None], inner)
        chosen = keys.argsort(axis=1, kind="stable")[:, : self.per_image]
        return np.take_along_axis(keys, chosen, axis=1), inner[chosen]

    def add(self, state: State, batch: Batch) -> State:
        return self.merge(state, self._added(batch))

    def _added(self, batch: Batch) -> State:
        """The candidates of one batch, as a state."""
        values = as_numpy(batch.activations[self.layer])
        keys, position = self.candidates(batch.samples.ids, values.shape)
        rows = positions_first(values)[np.arange(len(values))[:, None], position].astype(np.float32, copy=False)
        self._refuse_nan(rows, batch)
        indices = np.asarray(batch.samples.indices, np.int64)
        return {
            "key": keys.ravel(),
            "image": np.repeat(indices, position.shape[1]),
            "position": position.ravel(),
            "activation": rows.reshape(-1, rows.shape[2]),
        }

    def merge(self, first: State, second: State) -> State:
        """The smallest keys of both; equal keys, of images with one id, in order of the image and the position."""
        known = [each for each in (first, second) if len(each["key"])]
        if not known:
            return first
        joined = {name: np.concatenate([each[name] for each in known]) for name in first}
        chosen = np.lexsort((joined["position"], joined["image"], joined["key"]))[: self.count]
        return {name: values[chosen] for name, values in joined.items()}

    def _inner(self, shape: tuple[int, ...]) -> Numbers:
        """The positions that may be taken, ascending, of activations of this shape."""
        sizes = shape[2:]
        if len(sizes) < 2:
            return np.arange(shape[1] if sizes else 1)
        if min(sizes) <= 2 * self.edge:
            raise ParameterError(
                f"layer {self.layer!r} gives maps of {' x '.join(map(str, sizes))}, where no position is {self.edge} "
                "away from the edge; give edge=0, or a layer with larger maps"
            )
        inside = tuple(slice(self.edge, size - self.edge) for size in sizes)
        return np.arange(int(np.prod(sizes))).reshape(sizes)[inside].ravel()

    def _refuse_nan(self, rows: Numbers, batch: Batch) -> None:
        bad = np.isnan(rows).any(axis=(1, 2))
        if bad.any():
            raise ModelError(
                f"layer {self.layer!r} gives NaN for the image {batch.samples.ids[int(bad.argmax())]!r}: look at the "
                "network's weights, and at the preprocessing (preprocess=)"
            )
