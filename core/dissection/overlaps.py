"""Overlaps: of each unit and concept the pixels that its mask and the labels share, and the pixels of each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..data import Batch, Concepts, Quantity, State, Statistic
from .basis import UNITS, Basis, maps_of
from .enlargement import Enlarger
from .field_spans import FieldSpans, enlargers
from .label_planes import OtherLabels, masks_by_size, planes_of

__all__ = ["COUNTED", "Overlaps", "ious", "masks_of"]

Numbers = np.ndarray[Any, Any]
COUNTED = ("category", "under_mask", "all")
"""The pictures in which the pixels of a unit's mask count: those with a label of the concept's category; those with one
under this mask, as in NetDissect-Lite; all, as in dissect."""
VALUES = 1 << 22
"""Pixels of enlarged maps that are held at once."""
EXACT = 1 << 24
"""Pixels up to which float32 counts them exactly."""
Labelled = tuple[str, Numbers, Numbers]
"""The prefix of counts, numbers of concepts (p,), and their masks (p, pixels)."""


@dataclass(frozen=True)
class Overlaps(Statistic):
    """Counts of pixels, int64, for a layer of U units, K concepts and their categories.

    The state holds "intersections" (U, K); "areas" (U, categories), of a unit's masks in the pictures that count;
    "labelled" (K,); "images" (categories,), those that have a label; and the first three once more as "null_...", with
    the labels of other pictures.
    """

    any_grouping: ClassVar[bool] = True

    layer: str
    thresholds: bytes
    """(U,) float32; a unit's mask is where it is larger."""
    concepts: Concepts
    basis: Basis = UNITS
    enlarge: str = "fields"
    counted: str = "category"
    null: OtherLabels | None = None

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({FieldSpans(self.layer)} if self.null is None else {FieldSpans(self.layer), self.null})

    def empty(self) -> State:
        return self._zeros()

    def _zeros(self) -> dict[str, Numbers]:
        units, concepts, categories = len(self.thresholds) // 4, len(self.concepts), len(self.concepts.by_category)
        shapes = {"intersections": (units, concepts), "areas": (units, categories), "labelled": (concepts,)}
        nulls = {f"null_{name}": shape for name, shape in shapes.items()}
        return {name: np.zeros(shape, np.int64) for name, shape in {**shapes, "images": (categories,), **nulls}.items()}

    @cached_property
    def _category_of(self) -> Numbers:
        """(K, categories): 1 where a concept is of a category."""
        names = list(self.concepts.by_category)
        return np.array([[each == name for name in names] for each in self.concepts.categories], np.int64)

    def add(self, state: State, batch: Batch) -> State:
        found = {name: np.array(values) for name, values in state.items()}
        every = maps_of(self.layer, batch.activations[self.layer], batch.samples.ids)
        over = enlargers(batch, self.layer, every.shape[2:], self.enlarge)
        for place, (maps, enlarger) in enumerate(zip(every, over, strict=True)):
            labels = {"": planes_of(batch.samples, place)}
            if self.null is not None:
                labels["null_"] = batch.quantities[self.null][place]
            self._count(found, self.basis.of(maps), labels, enlarger)
        if self.counted == "all":
            found["null_areas"] = found["areas"]
        return found

    def _count(
        self, found: dict[str, Numbers], maps: Numbers, labels: Mapping[str, Iterable[Numbers]], over: Enlarger
    ) -> None:
        """Add one picture.

        Args:
            found: the counts so far, which grow.
            maps: (U, h, w).
            labels: by the prefix of the names of counts, "" or "null_", label maps (H, W).
            over: how the maps lie over the picture.
        """
        by_size: dict[tuple[int, int], list[Labelled]] = {}
        categories = np.zeros(len(self.concepts.by_category), bool)
        for prefix, planes in labels.items():
            for numbers, labelled, size in masks_by_size(planes, len(self.concepts)):
                by_size.setdefault(size, []).append((prefix, numbers, labelled))
                found[f"{prefix}labelled"][numbers - 1] += labelled.sum(axis=1, dtype=np.float64).astype(np.int64)
                if not prefix:
                    categories |= self._category_of[numbers - 1].any(axis=0)
        found["images"] += categories
        thresholds = np.frombuffer(self.thresholds, np.float32)
        for size, each in by_size.items():
            for units, masks in masks_of(maps, thresholds, size, over):
                flat = masks.reshape(len(masks), -1)
                areas = flat.sum(axis=1, dtype=np.int64)
                for prefix, numbers, labelled in each:
                    shared = _shared(flat, labelled)
                    found[f"{prefix}intersections"][units[:, None], numbers - 1] += shared
                    found[f"{prefix}areas"][units] += areas[:, None] * self._counts(shared, numbers)

    def _counts(self, shared: Numbers, numbers: Numbers) -> Numbers:
        """Whether a unit's mask counts for each category, (units or 1, categories)."""
        categories = self._category_of[numbers - 1]
        if self.counted == "under_mask":
            return np.asarray(shared @ categories > 0)
        here = categories.any(axis=0)[None]
        return here if self.counted == "category" else np.ones_like(here)

    def merge(self, first: State, second: State) -> State:
        return {name: first[name] + second[name] for name in first}


def _shared(masks: Numbers, labelled: Numbers) -> Numbers:
    """Pixels that masks (n, pixels) share with labels (p, pixels), (n, p), int64."""
    kind = np.float32 if masks.shape[1] <= EXACT else np.float64
    return np.asarray((masks.astype(kind) @ labelled.T).astype(np.int64))


def masks_of(
    maps: Numbers, thresholds: Numbers, size: tuple[int, int], over: Enlarger
) -> Iterator[tuple[Numbers, Numbers]]:
    """The masks of the units that have one in a picture, some units at a time.

    Args:
        maps: (U, h, w).
        thresholds: (U,).
        size: (H, W) of the masks.
        over: how the maps lie over the picture; no rule makes a value larger than all there are, so that units whose
            largest value is not above the threshold have no mask.

    Yields:
        The numbers of the units (n,), and their masks (n, H, W).
    """
    peaks = maps.max(axis=(1, 2))
    if over.rule == "zeros":
        peaks = np.maximum(peaks, 0)
    active = np.flatnonzero(peaks > thresholds)
    step = max(1, VALUES // max(size[0] * size[1], 1))
    for start in range(0, len(active), step):
        units = active[start : start + step]
        yield units, over.enlarged(maps[units], size) > thresholds[units, None, None]


def ious(intersections: Numbers, areas: Numbers, labelled: Numbers, *, concepts: Concepts) -> Numbers:
    """Intersection over union (U, K), float64; 0 where both are empty.

    Args:
        intersections: (U, K).
        areas: (U, categories).
        labelled: (K,).
        concepts: which say the category of each.
    """
    names = list(concepts.by_category)
    category = [names.index(each) for each in concepts.categories]
    union = areas[:, category] + labelled - intersections
    return np.asarray(np.where(union > 0, intersections / np.maximum(union, 1), 0.0))
