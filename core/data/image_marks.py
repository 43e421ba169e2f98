"""What is kept of each image beside its features, so that results can show it: its label, and a small picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, as_numpy
from ..image.false_colour import pixels
from .rows import Rows
from .statistic import Batch, State, Statistic

__all__ = ["ImageLabels", "Thumbnails"]


@dataclass(frozen=True)
class ImageLabels(Statistic):
    """The label of each image that was read, as text, "" for none: "index" (n,) and "label" (n,)."""

    any_grouping = True

    def empty(self) -> State:
        return {"index": np.zeros(0, np.int64), "label": np.zeros(0, "U1")}

    def add(self, state: State, batch: Batch) -> State:
        labels = np.array([str(each.get("label", "")) for each in batch.samples.records])
        return self.merge(state, {"index": np.asarray(batch.samples.indices, np.int64), "label": labels})

    def merge(self, first: State, second: State) -> State:
        return {name: np.concatenate([first[name], second[name]]) for name in first}


@dataclass(frozen=True)
class Thumbnails(Rows):
    """A small square picture of each image, (side, side, 3) uint8, the image as large as fits, white around it."""

    side: int
    low: float = 0.0
    high: float = 1.0
    """The bounds of the images."""
    dtype = np.uint8

    @property
    def shape(self) -> Sequence[int]:
        return (self.side, self.side, 3)

    def rows(self, batch: Batch) -> Array:
        return np.stack([self._tile(each) for each in as_numpy(batch.samples.images)])

    def _tile(self, image: Array) -> Array:
        from PIL import Image

        picture = Image.fromarray(pixels(image, (self.low, self.high)))
        picture.thumbnail((self.side, self.side), Image.Resampling.BOX)
        share = self.side / max(picture.size)
        if share > 1:
            width, height = (max(1, int(share * each)) for each in picture.size)
            picture = picture.resize((width, height), Image.Resampling.NEAREST)
        tile = np.full(self.shape, 255, np.uint8)
        top, left = (self.side - picture.height) // 2, (self.side - picture.width) // 2
        tile[top : top + picture.height, left : left + picture.width] = np.asarray(picture)
        return tile
