"""The base of LIME and Kernel SHAP: a linear model of the target in the presence of superpixels."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.target_function import TargetFunction, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.result import Attribution

from ._regression import LinearModel
from ._segmentation import superpixel_labels
from ._segmented_image import SegmentedImage, mean_colours

__all__ = ["SuperpixelAttribution", "SuperpixelMethod"]


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
    fill: Fill = param("blurred", f"what is shown where a superpixel is covered: superpixel (its own mean), {FILL_DOC}")
    seed: int = param(
        0, "of the choice of superpixels, and of the fill 'noise'; each image gets the same draws", minimum=0
    )

    def check_volume(self) -> None:
        super().check_volume()
        if isinstance(self.superpixels, str) and not self.superpixels.endswith(".npy"):
            what = "the piece of each voxel, integers (D, H, W) as an array or FILE.npy"
            raise ParameterError(f"{self.name} needs superpixels= for volumes: {what}")

    @abstractmethod
    def linear_model(self, image: SegmentedImage, score: float) -> LinearModel:
        """The linear model of one image; `score` is the target of the image itself."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> SuperpixelAttribution:
        """Values (N, H, W), the same all over a superpixel, in the target's unit."""
        functions, scores = target_functions(model, images, objective)
        segmented = [self._segmented(function, progress) for function in functions]
        linear = [self.linear_model(each, float(scores[n])) for n, each in enumerate(segmented)]
        xp, most = namespace(images), max(each.count for each in segmented)
        few = (
            f"{self.samples} copies leave {most} superpixels undetermined: other draws give other values; raise samples"
        )
        return SuperpixelAttribution(
            xp.stack([each.pixel_map(fitted.coefficients) for each, fitted in zip(segmented, linear, strict=True)]),
            scores=scores,
            segments=xp.stack([xp.asarray(each.segments, device=images.device) for each in segmented]),
            rest=like(np.asarray([each.intercept for each in linear]), images),
            fit=like(np.asarray([each.fit for each in linear]), images),
            notes=(few,) if self.samples <= most else (),
        )

    def _segmented(self, function: TargetFunction, progress: Progress) -> SegmentedImage:
        if function.image.ndim not in {4, 5}:
            shape = tuple(function.image.shape[1:])
            raise ImageError(f"superpixels are of pictures (C, H, W); this network takes {shape}")
        segments = superpixel_labels(function, self.superpixels, self.segments)
        if isinstance(self.fill, str) and self.fill == "superpixel":
            return SegmentedImage(function, segments, mean_colours(function.image, segments), progress)
        cover = fill_image(self.fill, function.image, function.model, self.seed)
        return SegmentedImage(function, segments, cover, progress)
