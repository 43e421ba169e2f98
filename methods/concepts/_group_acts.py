"""What groups of units do in pictures: masks, effects on the target, and what the target loses without each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.data import Batch, Quantity, Rows, Samples, State
from crosslens.data.top_rows import TopRows
from crosslens.errors import ImageError
from crosslens.execution.progress import silent
from crosslens.method.target_function import TargetFunction, batch_ranges
from crosslens.model import Model
from crosslens.objective.class_score import ClassScore
from crosslens.objective.target import resolve_target

from ._factorisation import masks_of
from ._layer_maps import LayerMaps, as_activation, layer_maps

__all__ = ["GroupActs", "GroupRecords", "StrongestPictures"]

Numbers = np.ndarray[Any, Any]
HEAD = 5
"""Score, class, total, and the height and width of the layer, before the numbers of groups."""


@dataclass(frozen=True)
class GroupActs(Quantity):
    """Numbers of each picture, (N, 5 + 2 K + K h w), float64, for K groups of a layer with maps (h, w).

    The target's score, its class (-1 for none), the sum of gradient times activation, h, w; each group's effect, the
    sum over positions of mask times <gradient, factor>; what the target loses where mask times factor is subtracted
    from the activations; the masks.
    """

    layer: str
    target: Any
    """None for each picture's predicted class."""
    groups: int
    factors: bytes
    """(groups, C), float64."""

    @property
    def matrix(self) -> Numbers:
        """The factors, (groups, C)."""
        return np.frombuffer(self.factors, np.float64).reshape(self.groups, -1)

    def compute(self, model: Model, samples: Samples) -> Array:
        images, factors = samples.images, self.matrix
        objective = resolve_target(self.target, model, images.shape[0])
        found = layer_maps(model, images, objective, self.layer)
        masks = masks_of(np.maximum(found.activations, 0), factors)
        count, _, *shape = masks.shape
        effects = np.einsum("nkhw,kc,nchw->nk", masks, factors, found.gradients, optimize=True)
        totals = (found.gradients.astype(np.float64) * found.activations).sum(axis=(1, 2, 3))
        classes = [_class(each) for each in found.objectives]
        head = [found.scores, classes, totals, *(np.full(count, n) for n in shape)]
        lost = self._removals(model, images, found, masks)
        return np.concatenate([np.stack(head, axis=1), effects, lost, masks.reshape(count, -1)], axis=1)

    def _removals(self, model: Model, images: Array, found: LayerMaps, masks: Numbers) -> Numbers:
        """What each image's target loses without each group, (N, groups)."""
        rows, factors = [], self.matrix
        for n, (objective, score) in enumerate(zip(found.objectives, found.scores, strict=True)):
            image = images[n : n + 1, ...]
            activation = model.forward(image, [self.layer])[self.layer]
            function = TargetFunction(model, image, objective, self.layer, activation)
            left = [
                as_numpy(function.scores(activation - as_activation(_acting(masks[n, a:b], factors[a:b]), activation)))
                for a, b in batch_ranges(model, len(factors), silent, "groups removed")
            ]
            rows.append(score - np.concatenate(left))
        return np.stack(rows)


def _acting(masks: Numbers, factors: Numbers) -> Numbers:
    """Masks (B, h, w) times factors (B, C): (B, C, h, w)."""
    return masks[:, None] * factors[:, :, None, None]


def _class(objective: Any) -> int:
    """The class that is explained; -1 for none."""
    target = objective.target if isinstance(objective, ClassScore) else None
    place = target[0] if isinstance(target, tuple) else target
    return -1 if place is None else int(place)


def _masks(acts: Numbers, groups: int) -> Numbers:
    """(N, groups, h, w) of what `GroupActs` gives."""
    height, width = (int(n) for n in acts[0, 3:HEAD])
    return acts[:, HEAD + 2 * groups :].reshape(len(acts), groups, height, width)


@dataclass(frozen=True)
class GroupRecords(Rows):
    """Of each picture its score, class and total, and of each group the mask's mean, the effect and the removal."""

    acts: GroupActs
    dtype = np.float64

    @property
    def shape(self) -> Sequence[int]:
        return (3 + 3 * self.acts.groups,)

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self.acts})

    def rows(self, batch: Batch) -> Array:
        acts = np.asarray(batch.quantities[self.acts])
        means = _masks(acts, self.acts.groups).mean(axis=(2, 3))
        return np.concatenate([acts[:, :3], means, acts[:, HEAD : HEAD + 2 * self.acts.groups]], axis=1)


@dataclass(frozen=True)
class StrongestPictures(TopRows):
    """The pictures in which each group acts most, by the mean of its mask, with all masks, (groups, h, w)."""

    acts: GroupActs
    count: int

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self.acts})

    def scores(self, batch: Batch) -> Array:
        return self.rows(batch).mean(axis=(2, 3))

    def rows(self, batch: Batch) -> Array:
        return _masks(np.asarray(batch.quantities[self.acts]), self.acts.groups)

    def merge(self, first: State, second: State) -> State:
        sizes = sorted({each["rows"].shape[2:] for each in (first, second) if len(each["index"])})
        if len(sizes) > 1:
            raise ImageError(
                f"layer {self.acts.layer!r} gives maps of several sizes, {' and '.join(map(str, sizes))}, for these "
                "pictures; say how they are fitted to one size: resize="
            )
        return super().merge(first, second)
