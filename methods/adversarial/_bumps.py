"""The squares of the square attack in L2: bumps of both signs, under which the length of the change is moved about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.attack import Region

from ._squares import Squares, place, side_of

__all__ = ["Bumps", "bump", "two_bumps"]

Values = np.ndarray[Any, Any]

TILES = 5
"""The first picture has so many squares along its shorter side."""


class Bumps(Squares):
    """L2: bumps of both signs; a square takes over the length of the change that lies in it and in another one."""

    def __init__(self, region: Region, generators: "Sequence[np.random.Generator]") -> None:
        super().__init__(region, generators)
        self._eps, self._bounds = region.eps, region.bounds

    def first(self) -> Values:
        return np.stack([self._bounded(n, self._tiled(rng)) for n, rng in enumerate(self._generators)])

    def proposals(self, x: Values, share: float) -> Values:
        side = _odd(max(side_of(share, x.shape[2:]), min(3, *x.shape[2:])), min(x.shape[2:]))
        return np.stack([self._moved(n, x[n], side, rng) for n, rng in enumerate(self._generators)])

    def keep(self, rows: Values) -> None:
        super().keep(rows)
        self._eps = self._eps[rows]

    def _tiled(self, rng: "np.random.Generator") -> Values:
        channels, height, width = self._centres.shape[1:]
        change = np.zeros((channels, height, width))
        side = max(1, min(height, width) // TILES)
        for top in range(height % side // 2, height - side + 1, side):
            for left in range(width % side // 2, width - side + 1, side):
                change[:, top : top + side, left : left + side] = _signed_bumps(rng, channels, side)
        return change

    def _moved(self, n: int, x: Values, side: int, rng: "np.random.Generator") -> Values:
        """Algorithm 3 of the paper, for one image."""
        change = x.astype(np.float64) - self._centres[n]
        window, other = (place(rng, side, x.shape[1:]) for _ in range(2))
        both = np.zeros(x.shape, bool)
        both[window] = both[other] = True
        unused = max(self._eps[n] ** 2 - (change**2).sum(), 0.0) / len(x)
        available = np.sqrt(np.where(both, change**2, 0.0).sum(axis=(1, 2), keepdims=True) + unused)
        new = _signed_bumps(rng, len(x), side) + _unit(change[window])
        change[other] = 0.0
        change[window] = _unit(new) * available
        return self._bounded(n, change)

    def _bounded(self, n: int, change: Values) -> Values:
        """The image changed by a change of the length `eps`, within the bounds."""
        length = np.sqrt((change**2).sum())
        x = self._centres[n] + change * (self._eps[n] / length if length else 0.0)
        return np.asarray(x if self._bounds is None else x.clip(*self._bounds), np.float32)


def bump(height: int, width: int) -> Values:
    """eta of section 3.4: sum_(k=m)^n 1 / (k + 1)^2, m a number's distance from the middle by rows or by columns."""
    rows, columns = (np.abs(np.arange(side) - side // 2) for side in (height, width))
    rings = 1.0 / (1.0 + np.arange(max(height, width) // 2 + 1)) ** 2
    outwards = np.cumsum(rings[::-1])[::-1]
    return np.asarray(outwards[np.maximum(rows[:, None], columns[None, :])])


def two_bumps(side: int) -> Values:
    """A square whose upper half is a bump and whose lower half is one below zero, of length 1."""
    half = side // 2
    halves = [_unit(bump(rows, side)[None])[0] if rows else np.zeros((0, side)) for rows in (half, side - half)]
    square = np.concatenate([halves[0], -halves[1]])
    return np.asarray(square / np.sqrt((square**2).sum()))


def _signed_bumps(rng: "np.random.Generator", channels: int, side: int) -> Values:
    """(channels, side, side): of a random orientation, each channel of a random sign."""
    square = two_bumps(side)
    square = square.T if rng.integers(0, 2) else square
    return np.asarray(square * rng.choice([-1.0, 1.0], (channels, 1, 1)))


def _unit(change: Values) -> Values:
    """Each channel over its length; 0 where that is 0."""
    length = np.sqrt((change**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(change / np.where(length > 0, length, 1.0))


def _odd(side: int, most: int) -> int:
    return side if side % 2 or side == most else side + 1
