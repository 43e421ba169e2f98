"""An image cut into superpixels, and copies of it in which some of them are covered: their targets and distances."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.execution.progress import Progress
from crosslens.method.target_function import TargetFunction, batch_ranges

from ..evaluation._metric import euclidean_length

__all__ = ["Floats", "Present", "SegmentedImage", "mean_colours"]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Present: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
"""(S, K): which of K superpixels are shown in each of S copies; the others are covered."""


@dataclass(frozen=True)
class SegmentedImage:
    """One image in K superpixels, and what covers those that are taken away."""

    function: TargetFunction
    segments: np.ndarray[Any, np.dtype[np.int64]]
    """The superpixel of each pixel, (H, W), from 0 to K - 1."""
    cover: Array
    """(1, C, H, W)"""
    progress: Progress

    @property
    def count(self) -> int:
        """K."""
        return int(self.segments.max()) + 1

    def scores(self, present: Present) -> Floats:
        """The target of each copy, (S,)."""
        return self._for_copies(present, self.function.scores, "covering superpixels")

    def distances(self, present: Present, kind: str) -> Floats:
        """How far each copy is from the image, (S,): "euclidean", or "cosine", 1 less the cosine of the angle.

        A black copy or image has no angle: the cosine counts as 0, the distance as 1, as in torch.nn.CosineSimilarity.
        """

        def distance(copies: Array) -> Array:
            xp, flat = namespace(copies), namespace(copies).reshape(copies, (copies.shape[0], -1))
            image = xp.reshape(self.function.image, (1, -1))
            if kind == "euclidean":
                return euclidean_length(flat - image)
            lengths = euclidean_length(flat) * euclidean_length(image)
            return 1 - xp.sum(flat * image, axis=1) / xp.where(lengths > 0, lengths, xp.ones_like(lengths))

        return self._for_copies(present, distance, "comparing copies")

    def _for_copies(self, present: Present, value: Callable[[Array], Array], what: str) -> Floats:
        """A value of each copy, (S,), as many copies at once as memory allows."""
        values = []
        for start, stop in batch_ranges(self.function.model, len(present), self.progress, what):
            masks = like(present[start:stop].astype(np.float32)[:, self.segments][:, None], self.cover)
            copies = namespace(masks).where(masks > 0.5, self.function.image, self.cover)
            values.append(as_numpy(value(copies)).astype(np.float64))
        return np.concatenate(values) if values else np.zeros(0)

    def pixel_map(self, values: Floats) -> Array:
        """The value of its superpixel at each pixel, (H, W), from values (K,)."""
        return like(values[self.segments].astype(np.float32), self.cover)


def mean_colours(image: Array, segments: np.ndarray[Any, Any]) -> Array:
    """(1, C, H, W): each superpixel in its own mean colour."""
    flat = as_numpy(image)[0].reshape(image.shape[1], -1)
    sizes = np.bincount(segments.ravel())
    means: np.ndarray[Any, Any] = np.stack([np.bincount(segments.ravel(), channel) / sizes for channel in flat])
    return like(means[:, segments][None], image)
