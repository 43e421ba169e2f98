"""Random patches of images, a bounded number over all of them, each patch of each image as likely as any other."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...arrays import as_numpy
from ..statistic import Batch, State, Statistic
from .random_keys import image_key, position_keys

__all__ = ["SampledPatches", "folded"]

Numbers = np.ndarray[Any, Any]


def folded(label: str) -> str:
    """A label as it is compared: without regard to capital letters, "_" as a space."""
    return label.replace("_", " ").strip().casefold()


@dataclass(frozen=True)
class SampledPatches(Statistic):
    """At most `count` square patches of all images with one of some labels, with pixels in [0, 1].

    Each place of a patch has a key, a hash of the seed, the image's id and the place; of all images' places the
    `count` with the smallest keys stay. So the sample is uniform over overlapping patches, and depends neither on the
    order of the images nor on how they were cut into batches and shards.

    The state holds n rows, the smallest key first: "key" (n,) uint64, "image" (n,) int64, the image's index in the
    source, "position" (n,) int64, counted row by row over the places, "patch" (n, C * side * side) float32, channels
    first; and "images", how many had such a label.
    """

    side: int
    """Pixels of a patch in height and width; images are at least as large."""
    count: int
    seed: int = 0
    bounds: tuple[float, float] = (0.0, 1.0)
    """Of the images."""
    labels: tuple[str, ...] = ()
    """Those of the images to take, `folded`; empty for all images, labelled or not."""
    any_grouping: ClassVar[bool] = True

    def empty(self) -> State:
        """No numbers in a patch: the first image that is added brings the channels."""
        nothing = np.zeros(0, np.int64)
        patches = np.zeros((0, 0), np.float32)
        return {
            "key": nothing.astype(np.uint64),
            "image": nothing,
            "position": nothing,
            "patch": patches,
            "images": np.int64(0),
        }

    def add(self, state: State, batch: Batch) -> State:
        images = as_numpy(batch.samples.images)
        for n, record in enumerate(batch.samples.records):
            if self._wanted(str(record.get("label", ""))):
                state = self.merge(state, self._of_image(state, images[n], batch.samples.ids[n], n, batch))
        return state

    def merge(self, first: State, second: State) -> State:
        """The smallest keys of both; equal keys, of images with one id, in order of the image and the position."""
        images = np.int64(first["images"] + second["images"])
        known = [each for each in (first, second) if len(each["key"])]
        if not known:
            return {**first, "images": images}
        names = ("key", "image", "position", "patch")
        joined = {name: np.concatenate([each[name] for each in known]) for name in names}
        chosen = np.lexsort((joined["position"], joined["image"], joined["key"]))[: self.count]
        return {**{name: values[chosen] for name, values in joined.items()}, "images": images}

    def _wanted(self, label: str) -> bool:
        return not self.labels or not {folded(each) for each in (label, *label.split(", "))}.isdisjoint(self.labels)

    def _of_image(self, state: State, image: Numbers, name: str, n: int, batch: Batch) -> State:
        """The patches of one image that may stay, as a state; those with larger keys than all that are known cannot."""
        down, across = (size - self.side + 1 for size in image.shape[1:])
        places = np.arange(down * across)
        keys = position_keys(np.array(image_key(self.seed, name), np.uint64), places)
        if len(state["key"]) == self.count:
            places = places[keys <= state["key"][-1]]
        chosen = places[np.argsort(keys[places], kind="stable")[: self.count]]
        windows = np.lib.stride_tricks.sliding_window_view(image, (self.side, self.side), axis=(1, 2))
        patches = np.moveaxis(windows[:, chosen // across, chosen % across], 0, 1).reshape(len(chosen), -1)
        low, high = self.bounds
        return {
            "key": keys[chosen],
            "image": np.full(len(chosen), batch.samples.indices[n], np.int64),
            "position": chosen,
            "patch": ((patches - low) / (high - low)).astype(np.float32),
            "images": np.int64(1),
        }
