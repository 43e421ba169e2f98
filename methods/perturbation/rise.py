"""RISE (Petsiuk, Das and Saenko, 2018, https://arxiv.org/abs/1806.07421)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, interpolation, like, namespace
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

OVER, MARGINS = ("expected", "opened"), ("cell", "share")
CELLS = 7
"""Along each side of a mask, as in the paper, if the side has so many pixels."""
EPSILON = 1e-4
"""Added to how often a pixel was open."""


@dataclass(frozen=True, kw_only=True)
class RISE(Method):
    """Random masks, weighted by the target seen through.

    The mean of random masks, each weighted by the target of the image that shows through it.

    Section 3 of the paper: 1 / (N p) sum_i S(X M_i) M_i. A mask is a grid of `cells` x `cells`, in volumes `cells` deep
    too, each open with probability p, enlarged linearly to one cell more than the image and cut out at a random shift.
    The paper takes probabilities for S: target "probability:LABEL". The map has a flat part, the mean of S, which hides
    the rest in a picture and is most of the noise: it is taken off S unless told otherwise, so that values tell how far
    the target rises above its mean where a pixel is open.
    """

    name = "rise"
    aliases: ClassVar[Mapping[str, str]] = {
        "randomized_input_sampling": "",
        "randomised_input_sampling": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "xplique": Preset(
            {"samples": 4000, "centred": False, "over": "opened", "margin": "share"},
            doc="bug: it shifts all masks of a batch of 32 alike; here each is shifted by itself",
        ),
    }
    example: ClassVar[Mapping[str, Any]] = {"samples": 20, "cells": 3}
    samples: int = param(1000, "masks to try", minimum=1)
    cells: int | None = param(
        None,
        "cells along each side of a mask; if not given 7, or as many as the side has pixels, if these are fewer",
        minimum=1,
    )
    p: float = param(0.5, "probability that a cell is open", above=0, below=1)
    over: str = param("expected", "sums are divided by N p, or by how often a pixel was open", choices=OVER)
    margin: str = param("cell", "an enlarged mask is larger by a cell, or by the share 1 / cells", choices=MARGINS)
    fill: Fill = param("black", f"what is shown where a mask is 0: {FILL_DOC}")
    centred: bool = param(
        True, "take the masks' mean target off, which says nothing about places; no is the paper's map"
    )
    seed: int = param(0, "of the masks, and of the fill 'noise'; each image gets the same draws", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Values (N, H, W) in the target's unit."""
        self._check(images)
        functions, scores = target_functions(model, images, objective)
        return Attribution(
            namespace(images).stack([self._map(function, scores[n], progress) for n, function in enumerate(functions)]),
            scores=scores,
            provenance={"cells": list(self._cells(images.shape[2:]))},
        )

    def _check(self, images: Array) -> None:
        if images.ndim not in {4, 5}:
            raise ImageError(f"masks are for pictures (C, H, W); this network takes {tuple(images.shape[1:])}")
        if self.cells is not None and self.cells > min(images.shape[2:]):
            raise ParameterError(f"cells is {self.cells}; it must be at most {min(images.shape[2:])}, the shorter side")

    def _map(self, function: TargetFunction, score: Array, progress: Progress) -> Array:
        """The weighted mask of one image, (H, W) or (D, H, W); sums are kept of what is above or below its `score`."""
        image, rng = function.image, np.random.default_rng(self.seed)
        xp, cover = namespace(image), fill_image(self.fill, image, function.model, self.seed)
        weighted, opened = xp.zeros_like(image[0, 0, ...]), xp.zeros_like(image[0, 0, ...])
        mean = xp.zeros_like(score)
        for start, stop in batch_ranges(function.model, self.samples, progress, "masking"):
            drawn = [self._mask(tuple(image.shape[2:]), rng) for _ in range(start, stop)]
            masks = like(np.stack(drawn), image)
            rises = function.scores(cover + masks[:, None, ...] * (image - cover)) - score
            weighted, opened = weighted + xp.tensordot(rises, masks, axes=1), opened + xp.sum(masks, axis=0)
            mean = mean + xp.sum(rises) / self.samples
        total = weighted - (mean if self.centred else -score) * opened
        return total / (opened + EPSILON if self.over == "opened" else self.samples * self.p)

    def _mask(self, size: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Of `size`: a grid enlarged, as in the paper to cells + 1 cells of whole pixels, and cut out."""
        cells = self._cells(size)
        grid = (rng.random(cells) < self.p).astype(np.float32)
        *depth, rows, columns = (self._window(side, n, rng) for side, n in zip(size, cells, strict=True))
        planes = rows @ grid @ columns.T
        return np.tensordot(depth[0], planes, axes=1) if depth else planes

    def _cells(self, size: Sequence[int]) -> tuple[int, ...]:
        return tuple(min(CELLS, side) if self.cells is None else self.cells for side in size)

    def _window(self, side: int, cells: int, rng: np.random.Generator) -> Array:
        """(side, cells): the interpolation along one side at a random shift within the margin."""
        cell = ceil(side / cells)
        large = (cells + 1) * cell if self.margin == "cell" else int(side * (1 + 1 / cells))
        shift = int(rng.integers(cell if self.margin == "cell" else large - side + 1))
        return interpolation(cells, large)[shift : shift + side].astype(np.float32)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [RISE]
