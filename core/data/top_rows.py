"""Rows of numbers of those images for which one of several scores is largest; few, however many images there are."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ModelError
from .statistic import Batch, State, Statistic

__all__ = ["TopRows"]

Numbers = np.ndarray[Any, Any]


class TopRows(Statistic):
    """The images with the largest scores, and a row of numbers of each. Subclasses are frozen dataclasses.

    The state holds, of shape (scores, count), "value" (float32), the largest first, equal ones in the order of the
    images, and "image" (int64, the index in the source); where there are fewer, 0 and -1. "index" (n,) are all images
    in it, ascending, and "rows" (n, ...) theirs: n is at most scores times count.
    """

    any_grouping: ClassVar[bool] = True
    count: int
    """Images of each score."""

    @abstractmethod
    def scores(self, batch: Batch) -> Array:
        """(N, scores)."""

    @abstractmethod
    def rows(self, batch: Batch) -> Array:
        """One row for each image of the batch, (N, ...)."""

    def empty(self) -> State:
        """No scores: the first batch that is added brings their number."""
        none = np.zeros((0, self.count))
        return {
            "value": none.astype(np.float32),
            "image": none.astype(np.int64),
            "index": np.zeros(0, np.int64),
            "rows": np.zeros(0, np.float32),
        }

    def add(self, state: State, batch: Batch) -> State:
        values = as_numpy(self.scores(batch)).astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0
        if (bad := np.isnan(values).any(axis=1)).any():
            raise ModelError(
                f"image {batch.samples.ids[int(bad.argmax())]!r} gives NaN, so that images have no order: look at the "
                "network's weights, and at the preprocessing (preprocess=)"
            )
        index = np.asarray(batch.samples.indices, np.int64)
        image = np.broadcast_to(index, values.T.shape)
        new = {"value": values.T, "image": image, "index": index, "rows": as_numpy(self.rows(batch))}
        return self.merge(state, new)

    def merge(self, first: State, second: State) -> State:
        known = [each for each in (first, second) if len(each["value"])]
        if not known:
            return first
        value, image = (np.concatenate([each[name] for each in known], axis=1) for name in ("value", "image"))
        order = np.lexsort((image, -value.astype(np.float64), image < 0), axis=1)[:, : self.count]
        value, image = (np.take_along_axis(each, order, axis=1) for each in (value, image))
        missing = self.count - value.shape[1]
        index, rows = (np.concatenate([each[name] for each in known]) for name in ("index", "rows"))
        kept, place = np.unique(index, return_index=True)
        stays = np.isin(kept, image)
        return {
            "value": np.pad(value, ((0, 0), (0, max(missing, 0)))),
            "image": np.pad(image, ((0, 0), (0, max(missing, 0))), constant_values=-1),
            "index": kept[stays],
            "rows": rows[place[stays]],
        }
