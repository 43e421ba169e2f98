"""Rows: numbers for each image that are kept, such as its embedding; the one statistic whose state grows with the data.

A sweep with a store keeps them in a memory-mapped file; one without keeps them in memory.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from .statistic import Batch, State, Statistic

__all__ = ["Rows"]


class Rows(Statistic):
    """A row of numbers for each image. Subclasses are frozen dataclasses.

    The state while it grows: "index" (n,), each image's place in the source, ascending, and "rows" (n, ...), one for
    each of them. The state that a sweep gives out: "index", the places of the images that were read, and "rows"
    (images of the source, ...), a row at each image's place; NaN, of whole numbers 0, where it could not be read.
    """

    any_grouping: ClassVar[bool] = True

    @property
    @abstractmethod
    def shape(self) -> Sequence[int]:
        """Of one row; () for a number."""

    dtype: ClassVar[Any] = np.float32

    @abstractmethod
    def rows(self, batch: Batch) -> Array:
        """One row for each image of the batch, (N, *shape)."""

    def empty(self) -> State:
        return {"index": np.zeros(0, np.int64), "rows": np.zeros((0, *self.shape), self.dtype)}

    def add(self, state: State, batch: Batch) -> State:
        rows = as_numpy(self.rows(batch)).astype(self.dtype, copy=False)
        return self.merge(state, {"index": np.asarray(batch.samples.indices, np.int64), "rows": rows})

    def at_places(self, state: State, count: int) -> State:
        """What a sweep over `count` images gives out: a row at each image's place."""
        missing = np.nan if np.issubdtype(self.dtype, np.inexact) else 0
        rows = np.full((count, *self.shape), missing, self.dtype)
        rows[state["index"]] = state["rows"]
        return {"index": state["index"], "rows": rows}

    def merge(self, first: State, second: State) -> State:
        return {name: np.concatenate([first[name], second[name]]) for name in ("index", "rows")}
