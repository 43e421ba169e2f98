"""How good pictures of classes are, by a judge that took no part in making them, and by their distance to the data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import crosslens
import numpy as np
from crosslens.arrays import as_numpy, softmax

from ..spectra import slope

__all__ = ["Measures", "Reference", "nearest"]

FEATURES = "features"
"""The judge's layer."""
ROWS = 250
"""Pictures whose distances to all others are held at a time."""


@dataclass(frozen=True)
class Measures:
    """Of a set of pictures, each of a class."""

    accuracy: float
    """Share that the judge takes for their class."""
    confidence: float
    """Mean probability that the judge gives their class."""
    pixels: float
    """Mean distance to the nearest training picture, over that of held-out pictures; 1 is what the data have."""
    features: float
    """The same in the judge's features."""
    spectrum: float
    """Mean absolute difference of the slope of the power spectrum from the data's mean slope."""


@dataclass(frozen=True)
class Reference:
    """What made pictures are compared with."""

    judge: crosslens.Model
    training: Any
    """(N, 1, H, W) in [0, 1]."""
    held_out: Any
    """(M, 1, H, W) in [0, 1]; of no network's training."""

    def measures(self, images: Any, classes: Any) -> Measures:
        """Of pictures (K, 1, H, W) in [0, 1] and their classes (K,)."""
        images = as_numpy(images)
        scores, features = self._seen(images)
        usual_pixels, usual_features, usual_slope = self._usual
        return Measures(
            accuracy=float(np.mean(scores.argmax(axis=1) == classes)),
            confidence=float(softmax(scores)[np.arange(len(images)), classes].mean()),
            pixels=float(nearest(images, self.training).mean() / usual_pixels),
            features=float(nearest(features, self._known).mean() / usual_features),
            spectrum=float(np.mean([abs(slope(each) - usual_slope) for each in images])),
        )

    @cached_property
    def _known(self) -> Any:
        """The judge's features of the training pictures."""
        return self._seen(self.training)[1]

    @cached_property
    def _usual(self) -> tuple[float, float, float]:
        """Of held-out pictures the mean distances to the nearest in pixels and in features, and the mean slope."""
        features = nearest(self._seen(self.held_out)[1], self._known)
        slopes = [slope(each) for each in self.held_out]
        return float(nearest(self.held_out, self.training).mean()), float(features.mean()), float(np.mean(slopes))

    def _seen(self, images: Any) -> tuple[Any, Any]:
        """The judge's logits (N, 10) and features (N, 128)."""
        wanted = [crosslens.OUTPUT, FEATURES]
        parts = [self.judge.forward(images[at : at + 1000], wanted) for at in range(0, len(images), 1000)]
        logits, features = (np.concatenate([as_numpy(part[name]) for part in parts]) for name in wanted)
        return logits, features


def nearest(these: Any, others: Any) -> Any:
    """Euclidean distance of each of `these` (K, ...) to the nearest of `others` (N, ...), (K,)."""
    others = others.reshape(len(others), -1).astype(np.float64)
    squares = (others**2).sum(axis=1)
    found = []
    for at in range(0, len(these), ROWS):
        some = these[at : at + ROWS].reshape(-1, others.shape[1]).astype(np.float64)
        squared = (some**2).sum(axis=1)[:, None] - 2 * some @ others.T + squares
        found.append(np.sqrt(np.maximum(squared, 0).min(axis=1)))
    return np.concatenate(found)
