"""What is gathered of each image for a search: features, label, a digest of its pixels, a small picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.features import Features, features_of
from ..data.image_marks import ImageLabels, Thumbnails
from ..data.source import Source
from ..data.statistic import State, Statistic
from ..data.sweep import sweep
from ..errors import ImageError
from ..model.base import Model
from ..result.display import counted
from .pixel_digests import PixelDigests
from .search import Images

__all__ = ["Gather"]


@dataclass(frozen=True)
class Gather:
    """The statistics of a search in one layer of a model; gathers them itself where no sweep does."""

    features: Features
    thumbnails: Thumbnails | None

    @classmethod
    def of(cls, model: Model, layer: str, pooling: str, thumbnail: int) -> "Gather":
        """Of a layer, with thumbnails of `thumbnail` pixels a side, none larger than the images; 0 for none."""
        sides = [side for side in model.input.example_shape[1:] if side]
        side = min(thumbnail, max(sides, default=thumbnail))
        pictures = side > 0 and not model.input.is_volume
        bounds = model.input.bounds or (0.0, 1.0)
        return cls(features_of(model, layer, pooling), Thumbnails(side, *bounds) if pictures else None)

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        """All of them, in one round."""
        return [self.features, ImageLabels(), PixelDigests(), *([self.thumbnails] if self.thumbnails else [])]

    def images(self, ids: Sequence[str], gathered: Mapping[Statistic, State]) -> Images:
        """The images of a source with these ids, from what was gathered."""
        features, labels = gathered[self.features], gathered[ImageLabels()]["label"]
        index = np.asarray(features["index"])
        return Images(
            index,
            np.array([ids[place] for place in index.tolist()], np.str_),
            labels,
            np.asarray(gathered[PixelDigests()]["rows"][index]),
            features["rows"],
            gathered[self.thumbnails]["rows"] if self.thumbnails else None,
        )

    def read(self, model: Model, source: Source) -> Images:
        """The images of a few pictures.

        Raises:
            ImageError: one of them cannot be read.
        """
        source.check(model)
        gathered = sweep(model, source, [self])
        if gathered.failures:
            told = "; ".join(f"{each.id}: {each.reason}" for each in gathered.failures[:3])
            asked = counted(len(source), "picture")
            raise ImageError(f"{len(gathered.failures)} of {asked} that are asked for cannot be used: {told}")
        return self.images(source.ids, gathered.states)
