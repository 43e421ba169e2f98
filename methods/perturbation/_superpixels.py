"""Superpixels, and the target as a function of which of them are left: what LIME and Kernel SHAP share."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import DOC, Fill, filled
from crosslens.method.target_function import Case, cases, portions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.result import Attribution

from ..evaluation._judged import length
from ._segmentation import segmented

__all__ = ["Pieces", "SuperpixelAttribution", "SuperpixelMethod", "Weights"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class SuperpixelAttribution(Attribution):
    """Values that are the same all over a superpixel."""

    segments: Array = field(default=None, kw_only=True)
    """The superpixel that each pixel belongs to, from 0, (N, H, W)."""
    rest: Array = field(default=None, kw_only=True)
    """The target that the linear model predicts where every superpixel is covered, (N,)."""
    fit: Array = field(default=None, kw_only=True)
    """The share of the target's weighted variance that the linear model explains, (N,); 1 where it does not vary."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "segments", "rest", "fit")


@dataclass(frozen=True)
class Weights:
    """What was found for the K superpixels of one image."""

    values: Floats
    """(K,)"""
    rest: float
    fit: float


@dataclass(frozen=True)
class Pieces:
    """One image in K superpixels, and what covers those that are taken away."""

    case: Case
    segments: np.ndarray[Any, np.dtype[np.int64]]
    """(H, W), from 0 to K - 1."""
    cover: Array
    """(1, C, H, W)"""
    progress: Progress

    @property
    def count(self) -> int:
        """K."""
        return int(self.segments.max()) + 1

    def scores(self, left: np.ndarray[Any, Any]) -> Floats:
        """The target, (S,), where only these superpixels are left: (S, K), true or false."""
        return self._of_copies(left, self.case.scores, "covering superpixels")

    def distances(self, left: np.ndarray[Any, Any], kind: str) -> Floats:
        """How far such copies are from the image, (S,): "euclidean", or "cosine", 1 less the cosine of the angle.

        A black copy or image has no angle: the cosine counts as 0, the distance as 1, as in torch.nn.CosineSimilarity.
        """

        def apart(copies: Array) -> Array:
            xp, flat = namespace(copies), namespace(copies).reshape(copies, (copies.shape[0], -1))
            whole = xp.reshape(self.case.image, (1, -1))
            if kind == "euclidean":
                return length(flat - whole)
            lengths = length(flat) * length(whole)
            return 1 - xp.sum(flat * whole, axis=1) / xp.where(lengths > 0, lengths, xp.ones_like(lengths))

        return self._of_copies(left, apart, "comparing copies")

    def _of_copies(self, left: np.ndarray[Any, Any], value: Callable[[Array], Array], what: str) -> Floats:
        found = []
        for start, stop in portions(self.case.model, len(left), self.progress, what):
            masks = like(left[start:stop].astype(np.float32)[:, self.segments][:, None], self.cover)
            variants = namespace(masks).where(masks > 0.5, self.case.image, self.cover)
            found.append(as_numpy(value(variants)).astype(np.float64))
        return np.concatenate(found) if found else np.zeros(0)

    def painted(self, values: Floats) -> Array:
        """Each pixel with its superpixel's value, (H, W)."""
        return like(values[self.segments].astype(np.float32), self.cover)


@dataclass(frozen=True, kw_only=True)
class SuperpixelMethod(Method):
    """A linear model of the target in the presence of superpixels, fitted to covered copies of the image."""

    volumes = True
    example: ClassVar[Mapping[str, Any]] = {"superpixels": "grid", "segments": 6, "samples": 20}
    superpixels: str | Array = param(
        "slic",
        "how pixels are grouped: slic or quickshift (scikit-image), grid, or integers (H, W) as an array or FILE.npy",
    )
    segments: int = param(50, "superpixels to aim at; slic and grid come near", minimum=2)
    samples: int = param(1000, "copies of the image to try", minimum=1)
    fill: Fill = param("blurred", f"what stands where a superpixel is covered: superpixel (its own mean), {DOC}")
    seed: int = param(
        0, "of the choice of superpixels, and of the fill 'noise'; each image gets the same draws", minimum=0
    )

    def check_volume(self) -> None:
        super().check_volume()
        if isinstance(self.superpixels, str) and not self.superpixels.endswith(".npy"):
            what = "the piece of each voxel, integers (D, H, W) as an array or FILE.npy"
            raise ParameterError(f"{self.name} needs superpixels= for volumes: {what}")

    @abstractmethod
    def explain(self, pieces: Pieces, score: float) -> Weights:
        """The weights of one image's superpixels; `score` is the target of the image itself."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> SuperpixelAttribution:
        """Values (N, H, W), the same all over a superpixel, in the target's unit."""
        found, scores = cases(model, images, objective)
        pieces = [self._pieces(case, progress) for case in found]
        weights = [self.explain(each, float(scores[n])) for n, each in enumerate(pieces)]
        xp, most = namespace(images), max(each.count for each in pieces)
        few = (
            f"{self.samples} copies leave {most} superpixels undetermined: other draws give other values; raise samples"
        )
        return SuperpixelAttribution(
            xp.stack([each.painted(w.values) for each, w in zip(pieces, weights, strict=True)]),
            scores=scores,
            segments=xp.stack([xp.asarray(each.segments, device=images.device) for each in pieces]),
            rest=like(np.asarray([w.rest for w in weights]), images),
            fit=like(np.asarray([w.fit for w in weights]), images),
            notes=(few,) if self.samples <= most else (),
        )

    def _pieces(self, case: Case, progress: Progress) -> Pieces:
        if case.image.ndim not in {4, 5}:
            raise ImageError(f"superpixels are of pictures (C, H, W); this network takes {tuple(case.image.shape[1:])}")
        segments = segmented(case, self.superpixels, self.segments)
        if isinstance(self.fill, str) and self.fill == "superpixel":
            return Pieces(case, segments, _own_means(case.image, segments), progress)
        return Pieces(case, segments, filled(self.fill, case.image, case.model, self.seed), progress)


def _own_means(image: Array, segments: np.ndarray[Any, Any]) -> Array:
    """(1, C, H, W): each superpixel in its own mean colour."""
    flat = as_numpy(image)[0].reshape(image.shape[1], -1)
    sizes = np.bincount(segments.ravel())
    means: np.ndarray[Any, Any] = np.stack([np.bincount(segments.ravel(), channel) / sizes for channel in flat])
    return like(means[:, segments][None], image)
