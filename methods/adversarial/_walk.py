"""The walk of the boundary attack: steps on a sphere around the image and towards it, of lengths that adapt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Rates", "Walk", "lengths"]

Values = np.ndarray[Any, Any]

SPHERICAL = (0.2, 0.5, 100)
"""Steps on the sphere shrink below and grow above these shares of successes, of so many steps that were tried."""
SOURCE = (0.1, 0.25, 30)
"""The same for steps towards the image."""


class Rates:
    """The share of successes among the last of several images' trials; it starts anew for an image that adapts."""

    def __init__(self, count: int, limits: tuple[float, float, int]) -> None:
        """For `count` images.

        Args:
            count: of images.
            limits: the least and the largest share that are fine, and the number of trials that a share is of.
        """
        self._least, self._largest, length = limits
        self._trials = np.zeros((length, count), bool)
        self._known = np.zeros(count, np.int64)
        self._next = 0

    def add(self, success: Values) -> Values:
        """Note a trial of each image; (N,): -1 where its step is to shrink, 1 where it is to grow, else 0."""
        self._trials[self._next] = success
        self._next = (self._next + 1) % len(self._trials)
        self._known += 1
        share = self._trials.mean(axis=0)
        change = np.where(share > self._largest, 1, np.where(share < self._least, -1, 0))
        change[self._known < len(self._trials)] = 0
        self._known[change != 0] = 0
        return change

    def keep(self, rows: Values) -> None:
        """Go on with these of the images."""
        self._trials, self._known = self._trials[:, rows], self._known[rows]


class Walk:
    """N pictures that succeed, each on its way to the image that it is made from; NumPy's float32 on every backend."""

    def __init__(
        self,
        centres: Values,
        x: Values,
        bounds: tuple[float, float] | None,
        generators: "Sequence[np.random.Generator]",
        steps: tuple[float, float],
    ) -> None:
        """Start at pictures.

        Args:
            centres: the images, (N, C, H, W).
            x: the pictures.
            bounds: of their numbers.
            generators: one for each.
            steps: the first lengths on the sphere and towards the image, in shares of the distance.
        """
        self.x, self._centres, self._bounds, self._generators = x, centres, bounds, list(generators)
        self.distance = lengths(centres - x)
        self.spherical, self.source = (np.full(len(x), step) for step in steps)

    def proposals(self) -> tuple[Values, Values]:
        """Pictures at the same distance in a random direction, and these moved towards the images."""
        back = self._centres - self.x
        way = back / _column(self.distance, back)
        noise = np.stack([rng.standard_normal(back.shape[1:], np.float32) for rng in self._generators])
        noise -= _column(_products(noise, way), back) * way
        noise *= _column(_over(self.spherical * self.distance, lengths(noise)), back)
        on_sphere = self._bounded(self._centres + (noise - back) / _column(np.sqrt(1 + self.spherical**2), back))
        back = self._centres - on_sphere
        distance = lengths(back)
        share = _over(self.source * self.distance + distance - self.distance, distance).clip(0, 1)
        return on_sphere, self._bounded(on_sphere + _column(share, back) * back)

    def accept(self, tried: Values, success: Values) -> Values:
        """Go on from pictures that succeed and are nearer; (N,), booleans: which."""
        distance = lengths(self._centres - tried)
        moved = success & (distance < self.distance)
        self.x[moved], self.distance[moved] = tried[moved], distance[moved]
        return moved

    def keep(self, rows: Values) -> None:
        """Go on with these of the images."""
        self.x, self._centres = self.x[rows], self._centres[rows]
        self.distance, self.spherical, self.source = self.distance[rows], self.spherical[rows], self.source[rows]
        self._generators = [self._generators[row] for row in rows]

    def _bounded(self, x: Values) -> Values:
        return x if self._bounds is None else x.clip(*self._bounds)


def lengths(x: Values) -> Values:
    """(N,), float64: the L2 norms of arrays (N, ...)."""
    return np.sqrt(_products(x, x))


def _over(x: Values, length: Values) -> Values:
    """x / length; 0 where the length is 0: an image of one number has no direction but that to the picture."""
    return np.asarray(np.where(length > 0, x / np.where(length > 0, length, 1.0), 0.0))


def _products(x: Values, y: Values) -> Values:
    flat = (len(x), -1)
    return np.asarray(np.sum(x.reshape(flat) * y.reshape(flat), axis=1, dtype=np.float64))


def _column(values: Values, x: Values) -> Values:
    return values.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
