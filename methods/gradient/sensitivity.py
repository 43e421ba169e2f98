"""Finite differences: the slow oracle of `gradient`. It asks the network for values only, never for a derivative."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

SHARE = 14
"""A block's side is this part of the image's shorter side if nobody says: 16 pixels of 224."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity(Method):
    """The target's slope by finite differences.

    The target's slope along blocks of pixels, (S(x + h v) - S(x - h v)) / 2h, per pixel: no gradient, and slow.

    v is 1 on a block of one channel, so the value is the mean of `gradient` over the block, up to terms in h^2; blocks
    of one pixel give the gradient itself, in 2 C H W passes (301,056 for 224 pixels). With `directions`, v is instead 1
    or -1 on each block at random, and the slopes times v are averaged: Spall's simultaneous perturbation (1992,
    https://doi.org/10.1109/9.119632), whose mean is the same.
    """

    name = "sensitivity"
    aliases: ClassVar[Mapping[str, str]] = {
        "finite_differences": "",
    }
    example: ClassVar[Mapping[str, Any]] = {"block": 4, "step": 0.1}
    block: int | None = param(
        None,
        "side in pixels of the squares that change together, 1 is each pixel; 1/14 of the shorter side if not given",
        minimum=1,
    )
    step: float = param(
        0.01, "h, as a share of the images' range (1 for [0, 1]); in a layer's own unit at a layer", above=0
    )
    directions: int | None = param(None, "random directions; every block on its own if not given", minimum=1)
    layer: str = param(INPUT, "layer whose activation changes; the image if not given")
    seed: int = param(0, "of the random directions", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Slopes of the shape of the image, or of the layer."""
        if self.layer == INPUT and images.ndim == 4 and (self.block or 1) > max(images.shape[2:]):
            raise ParameterError(f"block is {self.block}; it must be at most {max(images.shape[2:])}, the longer side")
        functions, scores = target_functions(model, images, objective, self.layer)
        values = namespace(images).stack([self._slopes(function, progress) for function in functions])
        return Attribution(values, scores=scores)

    def _slopes(self, function: TargetFunction, progress: Progress) -> Array:
        """The values of one image, of the shape of its activation without the batch axis."""
        shape = tuple(function.activation.shape[1:])
        labels = _blocks(shape, self.block or max(round(min(shape[-2:]) / SHARE), 1))
        sizes = np.bincount(labels.ravel())
        total, count = np.zeros(len(sizes)), self.directions or 1
        for directions in self._directions(function, len(sizes), progress):
            slopes = self._along(function, directions[:, labels])
            total += slopes @ directions
        return like((total / sizes / count)[labels], function.activation)

    def _directions(self, function: TargetFunction, blocks: int, progress: Progress) -> Iterator[Any]:
        """Rows (B, blocks) of what happens to each block: one of them, or all at random."""
        rng = np.random.default_rng(self.seed)
        for start, stop in batch_ranges(function.model, self.directions or blocks, progress, "taking differences"):
            if self.directions is None:
                yield (np.arange(start, stop)[:, None] == np.arange(blocks)).astype(np.float32)
            else:
                yield rng.choice(np.asarray([-1, 1], np.float32), (stop - start, blocks))

    def _along(self, function: TargetFunction, directions: Any) -> Any:
        """The central differences along directions (B, ...), (B,)."""
        step = self.step * (function.model.input.range if function.layer == INPUT else 1.0)
        v = step * like(directions, function.activation)
        after, before = (as_numpy(function.scores(function.activation + s * v)).astype(np.float64) for s in (1, -1))
        return (after - before) / (2 * step)


def _blocks(shape: tuple[int, ...], block: int) -> np.ndarray[Any, Any]:
    """The block of each element, from 0: squares of positions of one channel of maps; else each element alone."""
    if len(shape) != 3:
        return np.arange(int(np.prod(shape))).reshape(shape)
    channels, height, width = shape
    rows, columns = np.arange(height) // block, np.arange(width) // block
    across = columns[-1] + 1
    each = (rows[-1] + 1) * across
    labels: np.ndarray[Any, Any] = np.arange(channels)[:, None, None] * each + (rows[:, None] * across + columns)[None]
    return labels


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Sensitivity]
