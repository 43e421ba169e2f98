"""The base of methods that optimise a mask of the image: `extremal` and `meaningful_perturbation`."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.errors import ImageError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill
from crosslens.method.sanity import refuse_nonfinite_target
from crosslens.method.target_function import TargetFunction, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.result import Attribution

from ._masked_image import MaskedImage

__all__ = ["MaskAttribution", "MaskMethod"]


@dataclass(frozen=True)
class MaskAttribution(Attribution):
    """Masks in [0, 1], and the target at the images behind them."""

    masked: Array = field(default=None, kw_only=True)
    """The target at the image that the mask leaves, (N,)."""
    blank: Array = field(default=None, kw_only=True)
    """The target at the image that is perturbed everywhere, (N,)."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "masked", "blank")


@dataclass(frozen=True, kw_only=True)
class MaskMethod(Method):
    """A mask in [0, 1] that gradient descent optimises.

    On deep networks of rectifiers rounding decides kinks, and the masks of two backends drift apart step by step. On
    EfficientNet-Lite0 `extremal`, which starts near where it ends and descends with momentum, is 3e-2 apart at most.
    `meaningful_perturbation` starts at the whole image and descends with Adam, which divides each gradient by its own
    size, one of nothing but rounding too: its masks differ by 0.3 to 1 in places, and the result says so in a note.
    On smooth networks they agree (the conformance tests).
    """

    example: ClassVar[Mapping[str, Any]] = {"steps": 3}
    steps: int = param(300, "steps of the descent", minimum=1)
    learning_rate: float = param(0.1, "of the descent; a mask reaches from 0 to 1", above=0)
    fill: Fill = param("blurred", f"what is shown where the mask is 0: {FILL_DOC}")
    seed: int = param(0, "of random shifts, and of the fill 'noise'; each image gets the same draws", minimum=0)

    @abstractmethod
    def levels(self, function: TargetFunction) -> Array:
        """From the image to its strongest perturbation, (L, C, H, W)."""

    @abstractmethod
    def mask(self, image: MaskedImage, progress: Progress) -> tuple[Array, Array, tuple[str, ...]]:
        """The values (H, W); the target that the mask leaves, (); and what a reader must know of this mask."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> MaskAttribution:
        """Masks (N, H, W) in [0, 1]."""
        if images.ndim != 4:
            raise ImageError(f"masks are for pictures (C, H, W); this network takes {tuple(images.shape[1:])}")
        xp = namespace(images)
        functions, scores = target_functions(model, images, objective)
        refuse_nonfinite_target(self.name, scores)
        masked_images = [self._masked_image(function, float(scores[n])) for n, function in enumerate(functions)]
        masks, left, notes = zip(*(self.mask(each, progress) for each in masked_images), strict=True)
        blank = xp.asarray(np.asarray([s.blank for s in masked_images], np.float32), device=images.device)
        lower = sum(s.whole <= s.blank for s in masked_images)
        low = (f"the target of {lower} of {len(masked_images)} images is no higher than where all is perturbed",)
        every_note = tuple(dict.fromkeys([*(low if lower else ()), *(note for of_one in notes for note in of_one)]))
        return MaskAttribution(xp.stack(masks), scores=scores, masked=xp.stack(left), blank=blank, notes=every_note)

    def _masked_image(self, function: TargetFunction, whole: float) -> MaskedImage:
        levels = self.levels(function)
        return MaskedImage(function, levels, whole, float(function.scores(levels[-1:, ...])[0]))
