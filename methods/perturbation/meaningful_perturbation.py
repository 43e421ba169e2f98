"""Meaningful perturbation (Fong and Vedaldi, 2017, https://arxiv.org/abs/1704.03296)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress, silent
from crosslens.method import Method, param
from crosslens.method.fills import fill_image
from crosslens.method.target_function import TargetFunction
from crosslens.operators import Blur, Operator, Resize
from crosslens.optim.adam import Adam
from crosslens.optim.base import State
from crosslens.optim.loop import optimise
from crosslens.plugins.hookspecs import hookimpl

from ._mask_method import MaskMethod
from ._masked_image import MaskedImage

EARLY, NUDGE, APART = 20, 1e-6, 1e-2
"""Where two descents whose starts differ by at most `NUDGE` are so far `APART` after so many steps, it is told."""
ROUNDING_DECIDES = (
    f"rounding decides this mask: starts {NUDGE:g} apart are more than {APART:g} apart after {EARLY} steps. Masks of "
    "other frameworks and machines differ from it, in places by up to 1; believe what those of several seeds share"
)

SPARED = 0.5
"""The share of the target from which on a mask that leaves it deletes less than a reader will believe."""


@dataclass(frozen=True, kw_only=True)
class MeaningfulPerturbation(MaskMethod):
    """The smallest smooth mask that deletes the target.

    The smallest smooth mask that deletes the target: where it is, 1 - m, from 0 to 1.

    Section 4 of the paper: lambda_1 |1 - m|_1 + lambda_2 sum |grad m|^beta + the target where m is 0 shows `fill`, the
    image being shifted under the mask by up to `jitter` pixels at each step. m is a coarse grid, enlarged and blurred.
    Where two descents that begin alike to rounding part within a few steps, the result has a note: then masks of two
    frameworks differ too (EfficientNet-Lite0, 150 steps: by 0.01 to 0.2 in the mean, by 0.1 to 1 in places).

    The paper's target is a probability. Any other is taken as its share between the image, 1, and the image that is
    `fill` everywhere, 0, and counts as deleted there, so that the same weights fit.
    """

    name = "meaningful_perturbation"
    cell: int = param(8, "pixels along each side of a cell of the mask's grid", minimum=1)
    smooth: float = param(5.0, "deviation in pixels of the Gaussian that blurs the enlarged mask", above=0)
    area: float = param(
        1e-3, "lambda_1, the price of deleting one cell of the grid, as a share of the target", minimum=0
    )
    variation: float = param(1e-2, "lambda_2, the price of a mask that is not flat", minimum=0)
    beta: float = param(3.0, "power of the mask's gradient; larger ones prefer slopes to steps", minimum=1)
    jitter: int = param(4, "pixels that the image is shifted by at most, at random", minimum=0)

    def levels(self, function: TargetFunction) -> Array:
        """The image and what deletes it."""
        image = function.image
        return namespace(image).concat([image, fill_image(self.fill, image, function.model, self.seed)], axis=0)

    def mask(self, image: MaskedImage, progress: Progress) -> tuple[Array, Array, tuple[str, ...]]:
        """1 - m, and the target that is left; a note where rounding decides m, and where m deletes little."""
        coarse, early = self._descend(image, 0.0, self.steps, progress)
        _, nudged = self._descend(image, NUDGE, min(EARLY, self.steps), silent)
        xp = namespace(coarse)
        mask = xp.clip(self._enlarge(image).apply(coarse), 0.0, 1.0)  # rounding leaves it
        diverged, left = float(xp.max(xp.abs(early - nudged))) > APART, image.score(mask)
        return (
            1 - mask,
            left,
            ((ROUNDING_DECIDES,) * diverged + self._spared_note(float((left - image.blank) / image.unit))),
        )

    def _spared_note(self, share: float) -> tuple[str, ...]:
        """A note on a mask that leaves this share of the target."""
        if share <= SPARED:
            return ()
        return (
            f"a mask leaves {share:.0%} of the target, for deleting more costs more than it gains: lower area, now "
            f"{self.area:g}, or explain the probability, which falls sooner than a logit",
        )

    def _enlarge(self, image: MaskedImage) -> Operator:
        """From the coarse grid to the image's size."""
        height, width = image.levels.shape[2:]
        grid = (ceil(height / self.cell), ceil(width / self.cell))
        return Resize(grid, (height, width)) >> Blur(self.smooth)  # type: ignore[return-value]  # two make an operator

    def _descend(self, image: MaskedImage, nudge: float, steps: int, progress: Progress) -> tuple[Array, Array]:
        """The coarse grid after all steps and after `EARLY`, from ones less up to `nudge`; the shifts are the same."""
        rng, enlarge = np.random.default_rng(self.seed), self._enlarge(image)
        grid = (ceil(image.levels.shape[2] / self.cell), ceil(image.levels.shape[3] / self.cell))
        start = like(1 - nudge * np.random.default_rng(self.seed).random(grid), image.levels)
        early = [start]

        def evaluate(coarse: Array, step: int) -> tuple[Array, Array]:
            down, right = (int(n) for n in rng.integers(-self.jitter, self.jitter + 1, 2))
            share, gradient = image.share(enlarge.apply(coarse), (down, right))
            price, slope = self._price(coarse)
            left = namespace(share).astype(share > 0, share.dtype)
            return share * left + price, enlarge.adjoint(gradient) * left + slope

        def watch(now: State, losses: Array) -> None:
            if now.step <= EARLY:
                early[0] = now.parameters

        adam = Adam(self.learning_rate, bounds=(0.0, 1.0))
        coarse, _ = optimise(evaluate, start, steps, optimiser=adam, progress=progress, watch=watch)
        return coarse, early[0]

    def _price(self, m: Array) -> tuple[Array, Array]:
        """What a mask (h, w) costs, (1,), and the gradient; |grad m|^beta is a sum over the two axes."""
        xp = namespace(m)
        total, gradient = self.area * xp.sum(1 - m), xp.zeros_like(m) - self.area
        for axis, before, after in _NEIGHBOURS:
            if m.shape[axis] > 1:
                apart = m[after] - m[before]
                size = xp.abs(apart)
                total = total + self.variation * xp.sum(size**self.beta)
                slope = self.variation * self.beta * size ** (self.beta - 1) * xp.sign(apart)
                gradient[after] += slope
                gradient[before] -= slope
        return xp.reshape(total, (1,)), gradient


_ALL, _BUT_LAST, _BUT_FIRST = slice(None), slice(None, -1), slice(1, None)
_NEIGHBOURS = ((0, (_BUT_LAST, _ALL), (_BUT_FIRST, _ALL)), (1, (_ALL, _BUT_LAST), (_ALL, _BUT_FIRST)))
"""Along each axis, the positions that have a neighbour after them, and these neighbours."""


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [MeaningfulPerturbation]
