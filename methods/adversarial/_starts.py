"""Where a walk along the boundary starts: a picture that succeeds, given, among the other images, or found in noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.attack import Problem
from crosslens.errors import ParameterError
from crosslens.image.batch import image_batch
from crosslens.method.unit_range import UnitRange, images_for

__all__ = ["Starts", "start_pictures"]

Values = np.ndarray[Any, Any]

HALVINGS = 10
"""Of the line from the image to its start, to begin near the boundary."""
COARSEST = 5
"""Noise has cells of 1, 2, 4 ... 2^4 pixels in turns: networks take fine noise for very few classes."""


def start_pictures(start: Any, problem: Problem) -> Values:
    """What the user gave, as (N, C, H, W) in the problem's bounds, one picture for each image.

    Raises:
        ParameterError: their number is neither 1 nor that of the images.
        ImageError: they are not pictures for this network.
    """
    if isinstance(start, str) and "," in start and not Path(start).exists():
        start = [name.strip() for name in start.split(",")]
    model, count = problem.model, len(problem.aim)
    pictures = as_numpy(images_for(model, image_batch(start, model.model if isinstance(model, UnitRange) else model)))
    if len(pictures) not in {1, count}:
        raise ParameterError(
            f"start holds {len(pictures)} pictures for {count} image{'s' * (count > 1)}; give one for all of them, or "
            "one for each"
        )
    return np.broadcast_to(pictures, (count, *pictures.shape[1:]))


class Starts:
    """The search for pictures of some images that succeed."""

    def __init__(self, problem: Problem, rows: Values, generators: "Sequence[np.random.Generator]") -> None:
        """For the images `rows`, with a generator for each."""
        self._problem, self._rows, self._generators = problem, rows, generators
        self._images = as_numpy(problem.of(rows))
        self._x = self._images.copy()
        self.found = np.zeros(len(rows), bool)

    def find(self, given: Values | None, tries: int) -> Values:
        """(n, C, H, W): the nearest picture that succeeds on the line from the image to a start; see `found`.

        Args:
            given: (N, C, H, W), the user's; None where starts are sought.
            tries: noise pictures of each image; none where starts are given.
        """
        if given is not None:
            self._try(np.arange(len(self._rows)), given[self._rows])
        else:
            if self._problem.aim.reach is not None:
                self._among_images()
            for number in range(tries):
                sought = np.flatnonzero(~self.found)
                if not len(sought):
                    break
                self._try(sought, np.stack([self._noise(n, number) for n in sought.tolist()]))
        self._problem.no_start[self._rows] = ~self.found
        self._approach(np.flatnonzero(self.found))
        return self._x

    def _try(self, which: Values, pictures: Values) -> None:
        success = self._ask(which, pictures)
        self._x[which[success]] = pictures[success]
        self.found[which[success]] = True

    def _ask(self, which: Values, pictures: Values) -> Values:
        return self._problem.decisions(self._given(pictures), self._rows[which])

    def _given(self, pictures: Values) -> Array:
        return like(pictures, self._problem.images)

    def _among_images(self) -> None:
        """The nearest of the other images whose class is to be reached; what the network says of them is known."""
        problem, every = self._problem, as_numpy(self._problem.images)
        for n, row in enumerate(self._rows):
            aim = problem.aim.rows(np.full(len(every), row))
            reached = np.flatnonzero(aim.succeeded(aim.deciding(problem.clean)))
            if len(reached):
                away = ((every[reached] - every[row]) ** 2).sum(axis=tuple(range(1, every.ndim)), dtype=np.float64)
                self._x[n], self.found[n] = every[reached[away.argmin()]], True

    def _noise(self, n: int, number: int) -> Values:
        """Uniform noise, every second time blended with the image by a random share."""
        rng, (channels, height, width) = self._generators[n], self._images.shape[1:]
        cell = 2 ** (number // 2 % COARSEST)
        cells = rng.random((channels, -(-height // cell), -(-width // cell)), np.float32)
        low, high = self._problem.ranges()[self._rows[n]]
        noise = low + (high - low) * cells.repeat(cell, axis=1).repeat(cell, axis=2)[:, :height, :width]
        share = rng.random() if number % 2 else 1.0
        return np.asarray(self._images[n] + share * (noise - self._images[n]), np.float32)

    def _approach(self, which: Values) -> None:
        """Halve the line from the image to the start, again and again, where its middle succeeds."""
        near, far = np.zeros(len(which)), np.ones(len(which))
        images, starts = self._images[which], self._x[which]
        for _ in range(HALVINGS if len(which) else 0):
            middle = (near + far) / 2
            tried = _between(images, starts, middle)
            success = self._ask(which, tried)
            far, near = np.where(success, middle, far), np.where(success, near, middle)
        self._x[which] = _between(images, starts, far)
        self._problem.offer_found(self._given(self._x[which]), self._rows[which])


def _between(x: Values, y: Values, share: Values) -> Values:
    """Pictures on the lines from `x` to `y`; `y` itself where the share is 1."""
    part = share.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
    return np.asarray(np.where(part == 1, y, x + part * (y - x)))
