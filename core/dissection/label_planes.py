"""The labels of pictures as masks, which categories each picture has, and the labels of others in their place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..data import Batch, Concepts, Quantity, Rows, Samples, Source, State
from ..errors import ImageError
from ..model.base import Model

__all__ = ["CategoriesOfImages", "OtherLabels", "categories_by_place", "masks_by_size", "planes_of"]

Numbers = np.ndarray[Any, Any]


def planes_of(samples: Samples, place: int) -> Numbers:
    """The label maps (planes, H, W) of one picture of a batch.

    Raises:
        ImageError: its record has none.
    """
    planes = samples.records[place].get("concepts")
    if planes is None or np.ndim(planes) != 3:
        raise ImageError(
            f"the image {samples.ids[place]!r} has no label maps: record['concepts'] is (planes, H, W), int32, one "
            "plane of zeros where nothing is labelled"
        )
    return np.asarray(planes)


def masks_by_size(planes: Iterable[Numbers], count: int) -> Iterator[tuple[Numbers, Numbers, tuple[int, int]]]:
    """The concepts that label maps (H, W) hold, those of one size together.

    Args:
        planes: the label maps.
        count: of all concepts.

    Yields:
        Numbers of the concepts (p,), counted from 1 and ascending; their masks (p, H * W), float32; and (H, W).

    Raises:
        ImageError: a number that no concept has.
    """
    planes = list(planes)
    for size in dict.fromkeys(plane.shape for plane in planes):
        labels = np.stack([plane.ravel() for plane in planes if plane.shape == size])
        if labels.min() < 0 or labels.max() > count:
            wrong = int(labels.min() if labels.min() < 0 else labels.max())
            raise ImageError(f"a label map holds {wrong}; concepts are numbered 1 to {count}, 0 is none")
        present = np.flatnonzero(np.bincount(labels.ravel(), minlength=1)[1:]) + 1
        masks = np.empty((len(present), labels.shape[1]), np.float32)
        for mask, number in zip(masks, present, strict=True):
            mask[:] = (labels == number).any(axis=0)
        yield present, masks, size


@dataclass(frozen=True)
class CategoriesOfImages(Rows):
    """Of each image, which categories it has a label of, (categories,)."""

    concepts: Concepts
    dtype: ClassVar[Any] = np.uint8

    @property
    def shape(self) -> Sequence[int]:
        return (len(self.concepts.by_category),)

    def rows(self, batch: Batch) -> Array:
        rows = np.zeros((len(batch), *self.shape), np.uint8)
        for place, row in enumerate(rows):
            present = np.unique(planes_of(batch.samples, place))
            for category, numbers in enumerate(self.concepts.by_category.values()):
                row[category] = np.isin(numbers, present).any()
        return rows


def categories_by_place(state: State, count: int) -> Numbers:
    """(count, categories): which categories each image of the source has; none where it could not be read.

    Args:
        state: of `CategoriesOfImages`, of a sweep or of one shard.
        count: images of the source.
    """
    rows, index = np.asarray(state["rows"]), np.asarray(state["index"])
    found = np.zeros((count, rows.shape[1]), np.uint8)
    found[index] = rows if len(rows) == len(index) else rows[index]
    return found


@dataclass(frozen=True)
class OtherLabels(Quantity):
    """The labels that a picture gets in the null: of each category those of another picture that has the category.

    The pictures of a category stand in a circle, in the order of the keyed hash of their ids, and each takes the labels
    of the next. So every label is used once, as often as it is without the null, and what is compared does not depend
    on batches or workers.
    """

    data: str
    """The digest of the source."""
    seed: int
    source: Source = field(compare=False, repr=False)
    concepts: Concepts = field(compare=False, repr=False)
    categories: Numbers = field(compare=False, repr=False)
    """(images of the source, categories): which each image has."""

    @cached_property
    def _next(self) -> Numbers:
        """(images, categories): whose labels each image takes; -1 for none."""
        keys = [_key(self.seed, name) for name in self.source.ids]
        order = np.array(sorted(range(len(keys)), key=lambda n: (keys[n], n)), np.int64)
        following = np.full(self.categories.shape, -1, np.int64)
        for category in range(self.categories.shape[1]):
            circle = order[self.categories[order, category] > 0]
            if len(circle) > 1:
                following[circle, category] = np.roll(circle, -1)
        return following

    def compute(self, model: Model, samples: Samples) -> Array:
        """(N,), each a list of label maps (H, W)."""
        found = np.empty(len(samples.ids), object)
        known: dict[int, Numbers | None] = {}
        for place, index in enumerate(samples.indices):
            found[place] = []
            for category, numbers in enumerate(self.concepts.by_category.values()):
                other = int(self._next[index, category])
                if other >= 0:
                    if other not in known:
                        known[other] = self._read(other, model)
                    planes = known[other]
                    found[place] += [] if planes is None else _those_of(planes, numbers)
        return found

    def _read(self, index: int, model: Model) -> Numbers | None:
        samples = self.source.read(index, index + 1, model)
        return planes_of(samples, 0) if samples.ids else None


def _key(seed: int, name: str) -> bytes:
    return blake2b(f"{seed}\0{name}".encode(errors="surrogateescape"), digest_size=8).digest()


def _those_of(planes: Numbers, numbers: Sequence[int]) -> list[Numbers]:
    """The planes that hold labels of a category."""
    return [plane for plane in planes if np.isin(plane.max(), numbers)]
