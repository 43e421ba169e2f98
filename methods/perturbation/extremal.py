"""Extremal perturbations (Fong, Patrick and Vedaldi, 2019, https://arxiv.org/abs/1910.08485)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import fill_image
from crosslens.method.target_function import TargetFunction, batch_ranges
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.operators import Blur, SmoothMax
from crosslens.optim.loop import optimise
from crosslens.optim.momentum import Momentum
from crosslens.plugins.hookspecs import hookimpl

from ._initial_masks import discs
from ._mask_method import MaskAttribution, MaskMethod
from ._masked_image import MaskedImage, blend

VARIANTS = ("preserve", "delete")
MISSED = 0.3
"""How far the masks' mean area may be from the one asked for, as a share of it, before the result says so."""
LEVELS, GROWTH = 8, 16.0
"""Of the pyramid of blurs; and how much the area's weight has grown at the last step, as in the authors' TorchRay."""
DIGITS = 3
"""Of the target's share behind a disc; discs that agree to so many are equal as starts."""
TIE = 1e-3
"""Pixels whose values differ by no more are of equal rank."""


@dataclass(frozen=True, kw_only=True)
class Extremal(MaskMethod):
    """A mask of a given area that keeps the target high.

    The mask of a given area that keeps the target highest: the image outside of it is blurred away.

    Section 3 of the paper: the target behind the mask m, less lambda |sort(m) - r_a|^2, is maximised, r_a being
    zeros and then as many ones as the area a has pixels. m is a smooth maximum of a coarse grid. "delete"
    looks for the area without which the target is lowest. Several areas give the mean of their masks. The target is
    taken as its share between the image, 1, and the image blurred everywhere, 0, so that one lambda fits all.

    The sum has many maxima. The paper starts from the whole image; here the start is the best of 100 discs of the area
    asked for, all within the picture, which ends higher and depends less on rounding.
    """

    name = "extremal"
    aliases: ClassVar[Mapping[str, str]] = {
        "extremal_perturbation": "",
        "extremal_perturbations": "",
    }
    steps: int = param(200, "steps of gradient descent with momentum", minimum=1)
    learning_rate: float = param(0.1, "of the descent; a mask reaches from 0 to 1", above=0)
    areas: float | tuple[float, ...] = param(
        0.1, "share of the image that the mask shows; or several, each for itself", above=0, below=1
    )
    variant: str = param("preserve", "keep the target inside the mask, or delete it", choices=VARIANTS)
    smooth: float = param(0.09, "width of the mask's softest detail, as a share of the shorter side", above=0, below=1)
    blur: float = param(0.09, "deviation of the strongest blur, as a share of the longer side", above=0)
    weight: float = param(30.0, "lambda, of the area, at first; it grows 16-fold", above=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self._areas():
            raise ParameterError("areas is empty; give a share of the image, or several")

    def _areas(self) -> tuple[float, ...]:
        return (self.areas,) if isinstance(self.areas, int | float) else tuple(self.areas)

    def levels(self, function: TargetFunction) -> Array:
        """A pyramid of stronger and stronger blurs, or the image and another fill."""
        xp, image = namespace(function.image), function.image
        if not isinstance(self.fill, str) or self.fill != "blurred":
            return xp.concat([image, fill_image(self.fill, image, function.model, self.seed)], axis=0)
        strongest = self.blur * max(image.shape[2:])
        blurs = [Blur(strongest * k / (LEVELS - 1)).apply(image) for k in range(1, LEVELS)]
        return xp.concat([image, *blurs], axis=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> MaskAttribution:
        """Masks (N, H, W) in [0, 1]; a note where they miss the area."""
        result = super().run(model, images, objective, progress)
        asked = sum(self._areas()) / len(self._areas())
        shown = float(namespace(result.values).mean(result.values))
        if abs(shown - asked) <= MISSED * asked:
            return result
        note = f"the masks show {shown:.1%} of the image, not {asked:.1%}: raise steps, now {self.steps}"
        return replace(result, notes=(*result.notes, note))

    def mask(self, image: MaskedImage, progress: Progress) -> tuple[Array, Array, tuple[str, ...]]:
        """The mean of the areas' masks, and of the targets that they leave."""
        masks = [self._mask_of_area(image, area, progress) for area in self._areas()]
        left = [image.score(m if self.variant == "preserve" else 1 - m) for m in masks]
        xp = namespace(masks[0])
        return xp.mean(xp.stack(masks), axis=0), xp.mean(xp.stack(left)), ()

    def _mask_of_area(self, image: MaskedImage, area: float, progress: Progress) -> Array:
        """The mask of one area, (H, W)."""
        size = (image.levels.shape[2], image.levels.shape[3])
        width, keep = self.smooth * min(size), self.variant == "preserve"
        smooth = SmoothMax(size, max(1, round(width / 3)), width)
        ones, start = self._mask_of_ones(image, smooth), self._best_disc(image, smooth, area, progress)

        def evaluate(grid: Array, step: int) -> tuple[Array, Array]:
            mask, back = smooth.linearize(grid)
            mask = mask / ones
            share, gradient = image.share(mask if keep else 1 - mask)
            miss, pull = area_loss(mask, area)
            weight = self.weight * GROWTH ** (step / self.steps)
            return (-share if keep else share) + weight * miss, back((weight * pull - gradient) / ones)

        grid, _ = optimise(evaluate, start, self.steps, optimiser=Momentum(self.learning_rate), progress=progress)
        return namespace(grid).clip(smooth.apply(grid) / ones, 0.0, 1.0)

    def _mask_of_ones(self, image: MaskedImage, smooth: SmoothMax) -> Array:
        """The mask of a grid of ones, by which masks are divided: nowhere quite 1, and nearest at the border."""
        like_it = image.levels
        ones = namespace(like_it).ones(smooth.grid, dtype=like_it.dtype, device=like_it.device)
        return smooth.apply(ones)

    def _best_disc(self, image: MaskedImage, smooth: SmoothMax, area: float, progress: Progress) -> Array:
        """The grid of the disc of this area behind which the target is highest, or without which it is lowest."""
        keep, ones = self.variant == "preserve", self._mask_of_ones(image, smooth)
        tried = like(discs(smooth, area), image.levels)
        scores_left = []
        for first, last in batch_ranges(image.function.model, tried.shape[0], progress, "trying starts"):
            masks = [smooth.apply(tried[k, ...]) / ones for k in range(first, last)]
            views = [blend(image.levels, mask if keep else 1 - mask)[0] for mask in masks]
            scores_left.append(image.function.scores(namespace(masks[0]).concat(views)))
        shares = np.concatenate([as_numpy(scores) for scores in scores_left]) / image.unit
        best = np.argmax(np.round(shares if keep else -shares, DIGITS))
        return tried[int(best), ...]


def area_loss(mask: Array, area: float) -> tuple[Array, Array]:
    """The mean of (sort(m) - r_a)^2, (1,), and its gradient (H, W); equal pixels share the mean of their ranks."""
    xp = namespace(mask)
    n = mask.shape[0] * mask.shape[1]
    ones = max(1, min(n - 1, round(area * n)))
    edge = xp.sort(xp.reshape(mask, (-1,)))[n - ones]
    above, level = (xp.astype(where, mask.dtype) for where in (mask > edge + TIE, xp.abs(mask - edge) <= TIE))
    wanted = above + level * ((ones - xp.sum(above)) / xp.sum(level))
    return xp.reshape(xp.mean((mask - wanted) ** 2), (1,)), 2 * (mask - wanted) / n


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Extremal]
