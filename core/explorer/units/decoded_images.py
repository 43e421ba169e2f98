"""Images of a source as pictures, read once each as long as they fit into memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...data.source import Source
from ...image.false_colour import pixels
from ...model.base import Model

__all__ = ["DecodedImages"]

Pixels = np.ndarray[Any, Any]
LIMIT = 512 << 20
"""Bytes that the pictures of a source may take in memory."""
AT_ONCE = 16
"""Images read together at most, where they are neighbours."""


class DecodedImages:
    """The pictures (H, W, 3), uint8, of a source's images, as the network sees them."""

    def __init__(self, source: Source, model: Model, limit: int = LIMIT) -> None:
        """`limit` in bytes; a single picture may be larger."""
        self._source, self._model, self._limit = source, model, limit
        self._known: dict[int, Pixels | None] = {}

    @property
    def room(self) -> int:
        """How many pictures fit into memory."""
        height, width = self._model.input.example_shape[-2:]
        return max(1, self._limit // (3 * height * width))

    def keep(self, indices: Iterable[int]) -> None:
        """Read those that are not known, in the order of the source; others are dropped where they have no room."""
        wanted = dict.fromkeys(sorted(islice(dict.fromkeys(indices), self.room)))
        missing = [index for index in wanted if index not in self._known]
        for index in list(self._known):
            if len(self._known) + len(missing) <= self.room:
                break
            if index not in wanted:
                del self._known[index]
        for start, stop in _ranges(missing):
            self._read(start, stop)

    def __getitem__(self, index: int) -> Pixels | None:
        """The picture of an image; None where it cannot be read."""
        if index not in self._known:
            self.keep([index])
        return self._known[index]

    def _read(self, start: int, stop: int) -> None:
        samples = self._source.read(start, stop, self._model)
        self._known.update(dict.fromkeys(range(start, stop)))
        for place, index in enumerate(samples.indices):
            image = as_numpy(samples.images[place : place + 1, ...])[0]
            self._known[index] = pixels(image, self._model.input.bounds or (0.0, 1.0))


def _ranges(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, stop) of neighbours among ascending indices, at most `AT_ONCE` long."""
    start = stop = -1
    for index in indices:
        if index != stop or stop - start == AT_ONCE:
            if stop > start:
                yield start, stop
            start = index
        stop = index + 1
    if stop > start:
        yield start, stop
