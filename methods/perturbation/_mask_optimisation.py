"""Masks that are optimised through a network: what `extremal` and `meaningful_perturbation` share."""

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
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.operators import Jitter, Pull
from crosslens.result import Attribution

__all__ = ["MaskAttribution", "MaskMethod", "Stage", "blended"]


@dataclass(frozen=True)
class MaskAttribution(Attribution):
    """Masks in [0, 1], and what the network says of the images behind them."""

    masked: Array = field(default=None, kw_only=True)
    """The target at the image that the mask leaves, (N,)."""
    blank: Array = field(default=None, kw_only=True)
    """The target at the image that is perturbed everywhere, (N,)."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "masked", "blank")


def blended(levels: Array, mask: Array) -> tuple[Array, Pull]:
    """The image (1, C, H, W) that shows levels[0] where the mask is 1 and levels[-1] where it is 0; and the way back.

    Args:
        levels: (L, C, H, W), from the image to its strongest perturbation; between two of them it is linear.
        mask: (H, W), in [0, 1].
    """
    xp, steps = namespace(mask), levels.shape[0] - 1
    depth = (1 - mask) * steps
    below = xp.clip(xp.floor(depth), 0, steps - 1)
    image, slope = xp.zeros_like(levels[0, ...]), xp.zeros_like(levels[0, ...])
    for k in range(steps):
        here, change = xp.astype(below == k, mask.dtype), levels[k + 1, ...] - levels[k, ...]
        image = image + here * (levels[k, ...] + (depth - k) * change)
        slope = slope + here * change
    return image[None, ...], lambda dy: -steps * xp.sum(dy[0, ...] * slope, axis=0)


@dataclass(frozen=True)
class Stage:
    """One image with its perturbations, and the target between the two as a share: 1 at the image, 0 where blank."""

    function: TargetFunction
    levels: Array
    """(L, C, H, W)"""
    whole: float
    blank: float

    @property
    def unit(self) -> float:
        """What one share is in the target's unit; never 0, so that shares are finite."""
        return abs(self.whole - self.blank) or 1.0

    def share(self, mask: Array, shift: tuple[int, int] = (0, 0)) -> tuple[Array, Array]:
        """The target's share behind the mask, (1,), and its gradient there, (H, W); the picture is shifted first."""
        levels = Jitter(*shift).apply(self.levels) if shift != (0, 0) else self.levels
        image, back = blended(levels, mask)
        pull, scores = pullback(self.function.model, image, self.function.objective)
        return (scores - self.blank) / self.unit, back(pull.gradients[INPUT]) / self.unit

    def score(self, mask: Array) -> Array:
        """The target behind the mask, ()."""
        return self.function.scores(blended(self.levels, mask)[0])[0]


@dataclass(frozen=True, kw_only=True)
class MaskMethod(Method):
    """A mask found by gradient descent, its values kept in [0, 1].

    On deep networks of rectifiers rounding decides kinks, and the masks of two backends drift apart step by step. On
    EfficientNet-Lite0 `extremal`, which starts near where it ends and descends with momentum, is 3e-2 apart at most.
    `meaningful_perturbation` starts at the whole image and descends with Adam, which divides each gradient by its own
    size, one of nothing but rounding too: its masks differ by 0.3 to 1 in places, and the result says so in a note.
    On smooth networks they agree (the conformance tests).
    """

    example: ClassVar[Mapping[str, Any]] = {"steps": 3}
    steps: int = param(300, "steps of the descent", minimum=1)
    learning_rate: float = param(0.1, "of the descent; a mask reaches from 0 to 1", above=0)
    fill: Fill = param("blurred", f"what stands where the mask is 0: {FILL_DOC}")
    seed: int = param(0, "of random shifts, and of the fill 'noise'; each image gets the same draws", minimum=0)

    @abstractmethod
    def levels(self, function: TargetFunction) -> Array:
        """From the image to its strongest perturbation, (L, C, H, W)."""

    @abstractmethod
    def mask(self, stage: Stage, progress: Progress) -> tuple[Array, Array, tuple[str, ...]]:
        """The values (H, W); the target that the mask leaves, (); and what a reader must know of this mask."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> MaskAttribution:
        """Masks (N, H, W) in [0, 1]."""
        if images.ndim != 4:
            raise ImageError(f"masks are for pictures (C, H, W); this network takes {tuple(images.shape[1:])}")
        xp = namespace(images)
        functions, scores = target_functions(model, images, objective)
        refuse_nonfinite_target(self.name, scores)
        stages = [self._stage(function, float(scores[n])) for n, function in enumerate(functions)]
        masks, masked, told = zip(*(self.mask(stage, progress) for stage in stages), strict=True)
        blank = xp.asarray(np.asarray([s.blank for s in stages], np.float32), device=images.device)
        lower = sum(s.whole <= s.blank for s in stages)
        low = (f"the target of {lower} of {len(stages)} images is no higher than where all is perturbed",)
        notes = tuple(dict.fromkeys([*(low if lower else ()), *(note for notes in told for note in notes)]))
        return MaskAttribution(xp.stack(masks), scores=scores, masked=xp.stack(masked), blank=blank, notes=notes)

    def _stage(self, function: TargetFunction, whole: float) -> Stage:
        levels = self.levels(function)
        return Stage(function, levels, whole, float(function.scores(levels[-1:, ...])[0]))
