"""What a mean attribution gathers: a method's maps of each image, their sums and their squares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.data import Batch, Quantity, Samples, State, Statistic
from crosslens.errors import ImageError, ParameterError, TargetError
from crosslens.execution.notices import withhold
from crosslens.limits.whole_numbers import is_whole_number
from crosslens.method import Method
from crosslens.model import Model
from crosslens.objective.target import resolve_target
from crosslens.result import Attribution

Numbers = np.ndarray[Any, Any]
ALL = "all images"
MOST_BYTES = 2**29
"""Of the sums and squares of all labels."""
PREDICTED, LABEL = "predicted", "label"
SCALES: Mapping[str, Callable[[Numbers], Numbers]] = {
    "none": lambda maps: np.ones(len(maps)),
    "max": lambda maps: np.abs(maps).reshape(len(maps), -1).max(axis=1),
    "sum": lambda maps: np.abs(maps).reshape(len(maps), -1).sum(axis=1),
}
"""What each map is divided by before it is averaged; a map of zeros stays what it is."""


@dataclass(frozen=True)
class AttributionMaps(Quantity):
    """The maps (N, h, w) of a method: as they are, but magnitudes where each pixel has values of its own.

    A method that draws at random takes each image alone, with a seed of its own that the image's id decides.
    """

    attribution: Method
    target: Any

    def compute(self, model: Model, samples: Samples) -> Array:
        """(N, h, w), or (N, d, h, w) of volumes.

        Raises:
            ParameterError: the method's result is not an attribution.
            TargetError: `target` is "label", and an image has none, or one that is no class of the network.
        """
        targets = [self._target(model, *each) for each in zip(samples.ids, samples.records, strict=True)]
        one = targets[0] if self.target != LABEL else targets
        with withhold():
            if "seed" not in {f.name for f in fields(self.attribution)}:
                return self._maps(self.attribution, model, samples.images, one)
            return np.concatenate(
                [
                    self._maps(self._seeded(name), model, samples.images[n : n + 1, ...], targets[n])
                    for n, name in enumerate(samples.ids)
                ]
            )

    def _target(self, model: Model, name: str, record: Mapping[str, Any]) -> Any:
        if self.target != LABEL:
            return None if self.target == PREDICTED else self.target
        if "label" not in record:
            raise TargetError(
                f"target is 'label', and image {name!r} has no label: make classes sub-folders of the folder, give "
                "labels to the source, or choose target='predicted'"
            )
        label = record["label"]
        try:
            return int(label) if is_whole_number(str(label)) else resolve_target(label, model, 1)
        except TargetError as error:
            raise TargetError(f"target is 'label', and the label of image {name!r} is no class: {error}") from error

    def _seeded(self, name: str) -> Method:
        seed = blake2b(f"{self.attribution.seed}:{name}".encode(), digest_size=4)  # type: ignore[attr-defined]
        return replace(self.attribution, seed=int.from_bytes(seed.digest(), "big") >> 1)  # type: ignore[call-arg]

    def _maps(self, attribution: Method, model: Model, images: Array, target: Any) -> Numbers:
        result = attribution(model, images, target)
        if not isinstance(result, Attribution):
            raise ParameterError(f"{attribution.name} gives a {type(result).__name__}, not an attribution to average")
        return as_numpy(result.magnitudes() if result.is_per_pixel else result.maps())


@dataclass(frozen=True)
class MapMoments(Statistic):
    """Sums and sums of squares of maps, in float64, and the number of images, for each label or for all images."""

    maps: AttributionMaps
    by_class: bool
    normalise: str

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self.maps})

    def empty(self) -> State:
        """No label: the first maps that are added bring their shape."""
        none = np.zeros(0, np.float64)
        return {"labels": np.asarray([], str), "images": np.zeros(0, np.int64), "zero": np.zeros(0, np.int64),
                "sum": none, "squares": none}  # fmt: skip

    def add(self, state: State, batch: Batch) -> State:
        maps = as_numpy(batch.quantities[self.maps]).astype(np.float64)
        scales = SCALES[self.normalise](maps)
        maps = maps / np.where(scales > 0, scales, 1.0).reshape(-1, *[1] * (maps.ndim - 1))
        zero = (maps == 0).reshape(len(maps), -1).all(axis=1)
        samples = batch.samples
        labels = np.asarray([self._label(*each) for each in zip(samples.ids, samples.records, strict=True)])
        for label in dict.fromkeys(labels.tolist()):
            own = labels == label
            added = {
                "labels": np.asarray([label]),
                "images": np.asarray([own.sum()]),
                "zero": np.asarray([(zero & own).sum()]),
                "sum": maps[own].sum(axis=0, keepdims=True),
                "squares": np.square(maps[own]).sum(axis=0, keepdims=True),
            }
            state = self.merge(state, added)
        return state

    def merge(self, first: State, second: State) -> State:
        if not len(first["labels"]) or not len(second["labels"]):
            return first if len(first["labels"]) else second
        shapes = first["sum"].shape[1:], second["sum"].shape[1:]
        if shapes[0] != shapes[1]:
            raise ImageError(
                f"maps of different sizes cannot be averaged: {shapes[0]} and {shapes[1]}; give the pictures one size, "
                "or the model: input_shape="
            )
        labels = list(dict.fromkeys([*first["labels"].tolist(), *second["labels"].tolist()]))
        if len(labels) > 1 and (size := 2 * 8 * len(labels) * prod(shapes[0])) > MOST_BYTES:
            raise ParameterError(
                f"by_class keeps two maps {shapes[0]} in float64 for each of {len(labels)} labels or more, over "
                f"{size / 2**20:.0f} MiB; average maps of a layer, as attribution='grad_cam' gives, take a part of the "
                "classes, or leave by_class out"
            )
        merged: dict[str, Numbers] = {"labels": np.asarray(labels)}
        for name in ("images", "zero", "sum", "squares"):
            merged[name] = np.zeros((len(labels), *first[name].shape[1:]), first[name].dtype)
            for each in (first, second):
                merged[name][[labels.index(label) for label in each["labels"].tolist()]] += each[name]
        return merged

    def _label(self, name: str, record: Mapping[str, Any]) -> str:
        if not self.by_class:
            return ALL
        if "label" not in record:
            raise ImageError(
                f"by_class needs the label of each image, and {name!r} has none: make classes sub-folders of the "
                "folder, give labels to the source, or leave by_class out"
            )
        return str(record["label"])
