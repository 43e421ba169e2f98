"""The nearest images of a picture, in the rows that an embedding was laid out from."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ...embedding.embedding import Embedding
from ..book import Book

__all__ = ["Neighbours"]

COUNT = 12


class Neighbours:
    """Of the survey's embedding of the deepest layer; none where it has no embedding."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @cached_property
    def _embedding(self) -> Embedding | None:
        known = [each for each in self._book.results("embedding").values() if isinstance(each, Embedding)]
        return max(known, key=self._depth, default=None)

    def _depth(self, embedding: Embedding) -> int:
        return self._book.ids.get(str(embedding.parameters.get("layer")), -1)

    @cached_property
    def _rows(self) -> tuple[np.ndarray[Any, Any], bool]:
        """(N, columns), and whether they are the features; else the points."""
        assert self._embedding is not None
        points, known = self._embedding.points, np.isfinite(self._embedding.points).all(axis=1)
        kept = self._embedding.layout.state.get("rows")
        if kept is None or len(kept) not in {len(points), int(known.sum())}:
            return points, False
        if len(kept) == len(points):
            return np.asarray(kept), True
        rows = np.full((len(points), kept.shape[1]), np.nan, np.float32)
        rows[known] = kept
        return rows, True

    def of(self, index: int) -> Mapping[str, Any] | None:
        """`PicturePage.neighbours` of data.ts for the image of this index."""
        if self._embedding is None:
            return None
        rows, features = self._rows
        distances = np.sqrt(((rows - rows[index]) ** 2).sum(axis=1, dtype=np.float64))
        distances[index] = np.nan
        order = [int(n) for n in np.argsort(distances, kind="stable")[:COUNT] if np.isfinite(distances[n])]
        layer = self._embedding.parameters.get("layer")
        title = f"nearest in the features of {layer}" if features else f"nearest points in the layout of {layer}"
        return {"title": title, "images": order, "distances": [float(distances[n]) for n in order]}
