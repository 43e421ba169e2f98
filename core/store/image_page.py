"""What the table of images and the sheets of thumbnails have of each image: prediction, label, a small picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..arrays import as_numpy
from ..data.statistic import Batch, State, Statistic
from ..image.false_colour import pixels
from ..model.base import OUTPUT, Model
from ..model.output.output_spec import OutputSpec

__all__ = ["TILE", "ImagePage", "image_page"]

TILE = 48
"""Pixels of a thumbnail's side at most."""

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ImagePage(Statistic):
    """A line of the table and a thumbnail for each image; as long as the data, so a store keeps it shard by shard."""

    output: OutputSpec | None
    """None where the network gives neither classes nor one score."""
    bounds: tuple[float, float]
    """Of the images."""
    tile: int
    """Pixels of a thumbnail's side; 0 for none."""
    any_grouping = True

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({OUTPUT} if self.output else ())

    def empty(self) -> State:
        return {
            "index": np.zeros(0, np.int64),
            "label": np.zeros(0, "U1"),
            "class": np.zeros(0, np.int64),
            "score": np.zeros(0, np.float64),
            "tiles": np.zeros((0, self.tile, self.tile, 3), np.uint8),
        }

    def add(self, state: State, batch: Batch) -> State:
        samples = batch.samples
        classes, scores = self._predictions(batch)
        return self.merge(
            state,
            {
                "index": np.array(samples.indices, np.int64),
                "label": np.array([_label(each) for each in samples.records]),
                "class": classes,
                "score": scores,
                "tiles": self._tiles(samples.images),
            },
        )

    def merge(self, first: State, second: State) -> State:
        return {name: np.concatenate([first[name], second[name]]) for name in first}

    def _predictions(self, batch: Batch) -> tuple[Values, Values]:
        """Classes, -1 for none, and the probability of each; the score where there is one."""
        none = np.full(len(batch), -1, np.int64), np.full(len(batch), np.nan)
        if self.output is None:
            return none
        given = as_numpy(batch.activations[OUTPUT])
        values = self.output.values(given)
        if not self.output.has_probabilities:
            return none[0], values[:, 0].astype(np.float64)
        best = (values if self.output.binary else given.reshape(values.shape)).argmax(axis=1)
        return best.astype(np.int64), values[np.arange(len(best)), best].astype(np.float64)

    def _tiles(self, images: Any) -> Values:
        if not self.tile:
            return np.zeros((len(images), 0, 0, 3), np.uint8)
        return np.stack([_thumbnail(each, self.tile, self.bounds) for each in _reduced(as_numpy(images), self.tile)])


def _reduced(images: Values, side: int) -> Values:
    """Images (N, C, H, W) at no less than twice the side, the mean of four pixels of each block: quicker than all."""
    block = max(images.shape[2:]) // side
    if block < 2:
        return images
    height, width = (size // block * block for size in images.shape[2:])
    cut, half = images[:, :, :height, :width], block // 2
    corners = [cut[:, :, y::block, x::block] for y in (0, half) for x in (0, half)]
    return np.asarray((corners[0] + corners[1] + corners[2] + corners[3]) / np.float32(4))


def _thumbnail(image: Values, side: int, bounds: tuple[float, float]) -> Values:
    """(side, side, 3) uint8: the image as a whole in the middle, white around it."""
    picture = Image.fromarray(pixels(image, bounds))
    share = min(1.0, side / max(picture.size))
    width, height = (max(1, round(size * share)) for size in picture.size)
    small = picture if share == 1 else picture.resize((width, height), Image.Resampling.BOX)
    tile = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    tile[top : top + height, left : left + width] = np.asarray(small)
    return tile


def _label(record: Mapping[str, Any]) -> str:
    return str(record.get("label", ""))


def image_page(model: Model, *, thumbnails: bool = True) -> ImagePage:
    """What a model's images have: no prediction without classes or a score, no thumbnails of volumes."""
    spec = model.output
    predicts = spec.is_vector and (spec.has_probabilities or spec.count == 1)
    sides = [size or TILE for size in model.input.shape[1:]]
    side = min(TILE, max(sides)) if thumbnails and not model.input.is_volume else 0
    return ImagePage(spec if predicts else None, model.input.bounds or (0.0, 1.0), side)
