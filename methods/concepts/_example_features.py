"""What a sweep gathers for facets: the pictures that excite units most, each with its embedding at another layer."""

from dataclasses import dataclass

import numpy as np
from crosslens.arrays import Array
from crosslens.data import Batch
from crosslens.data.features import Features
from crosslens.data.top_rows import TopRows
from crosslens.model import Reduction

__all__ = ["ExampleFeatures"]


@dataclass(frozen=True)
class ExampleFeatures(TopRows):
    """The top images of some units, by their largest answer in each image, with these images' features."""

    layer: str
    """Of the units, by its canonical name."""
    units: tuple[int, ...]
    count: int
    features: Features

    @property
    def layers(self) -> frozenset[str]:
        return self.features.layers

    @property
    def reductions(self) -> frozenset[Reduction]:
        return self.features.reductions | {self._largest}

    @property
    def _largest(self) -> Reduction:
        return Reduction(self.layer, "max")

    def scores(self, batch: Batch) -> Array:
        return np.asarray(batch.reduced[self._largest])[:, list(self.units)]

    def rows(self, batch: Batch) -> Array:
        return np.asarray(self.features.rows(batch), np.float32)
