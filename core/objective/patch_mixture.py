"""How natural the patches of a picture are: their mean log-likelihood under a mixture (Zoran and Weiss, 2011)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, multiply_sides, namespace
from ..errors import ImageError, ParameterError, TargetError
from ..model.base import INPUT, Model
from .algebra import Activations, Objective
from .mixture_file import MAKE, read_density
from .patch_density import PatchDensity

__all__ = ["PatchMixtureObjective", "patch_mixture"]

MOST = 2**22
"""Numbers of float64 in the largest array that is made at once, 32 MiB, where a single row of patches takes fewer."""
FARTHEST = 2.0
"""How many times larger or smaller than those the mixture is of the pictures of a network may be."""


@dataclass(frozen=True)
class PatchMixtureObjective(Objective):
    """The mean over patches of log p(patch): the expected patch log-likelihood, in nats per patch."""

    density: PatchDensity
    pictures: tuple[int, int]
    """(H, W) of the pictures that the mixture is of."""
    stride: int
    title: str
    """Where it comes from, in words."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """Of the pictures that it reads."""

    layers = frozenset({INPUT})

    def check(self, model: Model) -> None:
        channels, side, _ = self.density.shape
        takes = model.input.shape
        if len(takes) != 3 or takes[0] not in {channels, None}:
            raise TargetError(
                f"{self.title} is of pictures ({channels}, H, W); this model takes {takes}: make one with it, {MAKE}"
            )
        sizes = [(own, of) for own, of in zip(takes[1:], self.pictures, strict=True) if own is not None]
        if any(own < side or not 1 / FARTHEST <= own / of <= FARTHEST for own, of in sizes):
            raise TargetError(
                f"{self.title} is of {side} x {side} pixels of pictures of {' x '.join(map(str, self.pictures))}; this "
                f"model takes {takes}, where so many pixels show something else: make one with it, {MAKE}"
            )

    def for_model(self, model: Model) -> Objective:
        return replace(self, bounds=model.input.bounds or (0.0, 1.0))

    def value(self, activations: Activations) -> Array:
        images, unit = self._unit_pixels(activations)
        xp, total = namespace(images), 0.0
        places = self._places(images)
        for rows in self._blocks(places, images):
            logs = self.density.log_density(self._patches(unit, rows, places[1]))
            total = total + xp.sum(xp.reshape(logs, (images.shape[0], -1)), axis=1)
        return xp.astype(total / self._count(places), images.dtype)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self.value_and_cotangents(activations)[1]

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        images, unit = self._unit_pixels(activations)
        xp, total, gradient = namespace(images), 0.0, 0.0
        places, (low, high) = self._places(images), self.bounds
        for rows in self._blocks(places, images):
            logs, slopes = self.density.log_density_and_gradient(self._patches(unit, rows, places[1]))
            total = total + xp.sum(xp.reshape(logs, (images.shape[0], -1)), axis=1)
            gradient = gradient + self._put_back(slopes, unit, rows, places[1])
        count = self._count(places)
        return (
            xp.astype(total / count, images.dtype),
            {INPUT: xp.astype(gradient / (count * (high - low)), images.dtype)},
        )

    def _unit_pixels(self, activations: Activations) -> tuple[Array, Array]:
        """The images as they are, and in [0, 1] as float64.

        Raises:
            ImageError: other channels than the mixture's, or smaller than a patch.
        """
        images = activations[INPUT]
        channels, side, _ = self.density.shape
        if images.ndim != 4 or images.shape[1] != channels or min(images.shape[2:]) < side:
            raise ImageError(
                f"{self.title} is of patches {self.density.shape}; pictures are {tuple(images.shape[1:])}, and must be "
                f"({channels}, H, W), at least {side} pixels high and wide"
            )
        low, high = self.bounds
        xp = namespace(images)
        return images, (xp.astype(images, xp.float64) - low) / (high - low)

    def _places(self, images: Array) -> tuple[list[int], list[int]]:
        """The first rows and the first columns of the patches: every `stride` pixels, and the last ones."""
        last = [size - self.density.shape[1] for size in images.shape[2:]]
        down, across = ([*range(0, end, self.stride), end] for end in last)
        return down, across

    def _count(self, places: tuple[list[int], list[int]]) -> int:
        return len(places[0]) * len(places[1])

    def _blocks(self, places: tuple[list[int], list[int]], images: Array) -> Iterator[list[int]]:
        """The first rows of patches, as many at once as `MOST` allows, at least one."""
        per_row = images.shape[0] * len(places[1]) * self.density.numbers * len(self.density.weights)
        step = max(1, MOST // per_row)
        yield from (places[0][n : n + step] for n in range(0, len(places[0]), step))

    def _indices(self, starts: list[int]) -> Any:
        return (np.asarray(starts)[:, None] + np.arange(self.density.shape[1])).ravel()

    def _patches(self, unit: Array, down: list[int], across: list[int]) -> Array:
        """The patches that begin at these rows and columns, image by image: (N * rows * columns, D)."""
        xp = namespace(unit)
        channels, side, _ = self.density.shape
        for axis, starts in ((2, down), (3, across)):
            unit = xp.take(unit, xp.asarray(self._indices(starts), device=unit.device), axis=axis)
        parts = xp.reshape(unit, (unit.shape[0], channels, len(down), side, len(across), side))
        return xp.reshape(xp.permute_dims(parts, (0, 2, 4, 1, 3, 5)), (-1, self.density.numbers))

    def _put_back(self, slopes: Array, unit: Array, down: list[int], across: list[int]) -> Array:
        """The adjoint of `_patches`: what overlaps adds up."""
        xp = namespace(unit)
        channels, side, _ = self.density.shape
        parts = xp.reshape(slopes, (unit.shape[0], len(down), len(across), channels, side, side))
        whole = xp.reshape(
            xp.permute_dims(parts, (0, 3, 1, 4, 2, 5)), (unit.shape[0], channels, len(down) * side, len(across) * side)
        )
        sides = zip(unit.shape[2:], (down, across), strict=True)
        return multiply_sides(whole, [np.eye(size)[:, self._indices(starts)] for size, starts in sides])

    def __str__(self) -> str:
        return f"patch_mixture({self.title!r}, stride={self.stride})"


def patch_mixture(mixture: Any, stride: int | None = None) -> Objective:
    """How natural the patches of a picture are: the mean of their log-likelihoods, in nats per patch.

    The expected patch log-likelihood of Zoran and Weiss (2011) over the number of patches: overlapping ones every
    `stride` pixels, the last row and column of them included. Pixels count in [0, 1] whatever the model's bounds, and
    are computed with in float64. As a prior add it to a target: `logit(281) + 0.1 * patch_mixture(FILE)`. Beside a
    logit of EfficientNet-Lite0 a weight of 0.1 keeps the class and brings the likelihood nearer to that of photographs,
    0.3 leaves large shapes on plain ground, and with 1 the picture ends grey.

    Args:
        mixture: what the method `patch_mixture` gave, or its .npz. It is of pictures, so any network will do that takes
            pictures of about the same size.
        stride: pixels from one patch to the next; half a patch if not given, 1 for all patches.

    Raises:
        ParameterError: no such file, or it holds no mixture; or a stride below 1.
    """
    density, pictures = read_density(mixture)
    step = density.shape[1] // 2 or 1 if stride is None else stride
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise ParameterError(f"stride is {stride!r}; give a whole number of pixels, at least 1")
    named = isinstance(mixture, str | Path)
    title = str(mixture) if named else f"a mixture of {len(density.weights)} kinds of patches"
    return PatchMixtureObjective(density, pictures, step, title)
