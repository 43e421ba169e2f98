"""The squares of the square attack: how much of an image they cover, and what they change in L-inf."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy, namespace
from crosslens.attack import Region

__all__ = ["Corners", "Squares", "covered_share", "place", "side_of"]

Values = np.ndarray[Any, Any]

HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Iterations of 10,000 after which the share that squares cover is halved (section 4 of the paper)."""
DRAWS = 16
"""Of a square's signs until it changes anything: half of the smallest squares of one channel would not."""


def covered_share(p: float, iteration: int, count: int) -> float:
    """The share of the image that a square covers.

    Args:
        p: of the first squares.
        iteration: from 0.
        count: iterations in all, to which the paper's schedule of 10,000 is scaled.
    """
    done = iteration * 10_000 // count
    return p / 2.0 ** sum(done > mark for mark in HALVED_AFTER)


class Squares(ABC):
    """The pictures of N images that the attack tries, NumPy's float32 on every backend, in the ball and the bounds."""

    def __init__(self, region: Region, generators: "Sequence[np.random.Generator]") -> None:
        """Around the images of a region, with a generator for each."""
        self._generators = list(generators)
        self._centres = as_numpy(region.centres)

    @abstractmethod
    def first(self) -> Values:
        """The pictures to start from, (N, C, H, W)."""

    @abstractmethod
    def proposals(self, x: Values, share: float) -> Values:
        """The best pictures so far, `x`, each with a random square of this share of the image changed."""

    def keep(self, rows: Values) -> None:
        """Go on with these of the images."""
        self._generators = [self._generators[row] for row in rows]
        self._centres = self._centres[rows]


class Corners(Squares):
    """L-inf: every number is as low or as high as allowed, at first in stripes, one sign for a column and channel."""

    def __init__(self, region: Region, generators: "Sequence[np.random.Generator]") -> None:
        super().__init__(region, generators)
        ones = namespace(region.centres).ones_like(region.centres)
        self._low, self._high = (as_numpy(region.furthest(each)) for each in (-ones, ones))

    def first(self) -> Values:
        _, channels, _, width = self._centres.shape
        signs = np.stack([rng.integers(0, 2, (channels, 1, width)) for rng in self._generators])
        return np.where(signs == 1, self._high, self._low)

    def proposals(self, x: Values, share: float) -> Values:
        tried, side = x.copy(), side_of(share, x.shape[2:])
        for n, rng in enumerate(self._generators):
            window = place(rng, side, x.shape[2:])
            for _ in range(DRAWS):
                signs = rng.integers(0, 2, (x.shape[1], 1, 1))
                tried[n][window] = np.where(signs == 1, self._high[n][window], self._low[n][window])
                if (tried[n][window] != x[n][window]).any():
                    break
        return tried

    def keep(self, rows: Values) -> None:
        super().keep(rows)
        self._low, self._high = self._low[rows], self._high[rows]


def side_of(share: float, size: Sequence[int]) -> int:
    """Of a square that covers this share of an image (H, W)."""
    return min(max(round(float(np.sqrt(share * size[0] * size[1]))), 1), *size)


def place(rng: "np.random.Generator", side: int, size: Sequence[int]) -> tuple[slice, slice, slice]:
    """A square anywhere in an image (H, W), all places alike."""
    top, left = (int(rng.integers(0, length - side + 1)) for length in size)
    return slice(None), slice(top, top + side), slice(left, left + side)
