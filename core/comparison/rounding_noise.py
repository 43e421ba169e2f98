"""What rounding alone does to an explanation: the yardstick beside every figure of a comparison.

Two frameworks add up the same numbers in another order, so that their activations differ by some units in the last
place. On a network of rectifiers a pre-activation that near to zero changes its sign, and a gradient jumps by percents
at that place, in one framework as between two. The estimate asks ONE model twice: once as it is, once with every value
of the images moved by one rounding, and the batch put together otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..method.base import Method
from ..model.base import Model
from ..result import Result

__all__ = ["MOST_IMAGES", "UNIT", "Noise", "again", "chosen", "rounded"]

MOST_IMAGES = 4
"""The estimate takes at most so many images, spread evenly."""
UNIT = 2.0**-24
"""The spacing of float32 numbers below 1: what a value of an image can be off by rounding."""


@dataclass(frozen=True)
class Noise:
    """How far a method's map on one model moves when the image changes by one rounding."""

    model: str
    images: int
    """How many images it was measured on."""
    figures: Mapping[str, float]
    """As `Comparison.figures` has them, the worst of the images."""

    @property
    def text(self) -> str:
        """How it was measured, in words."""
        of = f"{self.images} picture" + "s" * (self.images != 1)
        return f"{self.model} against itself, every value of {of} moved by one rounding (2^-24, up or down by chance)"


def chosen(count: int) -> list[int]:
    """At most `MOST_IMAGES` of `count` places, spread evenly.

    >>> chosen(9)
    [0, 3, 5, 8]
    """
    return sorted({int(n) for n in np.linspace(0, count - 1, min(count, MOST_IMAGES)).round()})


def rounded(images: Array, bounds: tuple[float, float] = (0.0, 1.0)) -> Array:
    """Images with every value moved by `UNIT` of the range, up or down by chance; never out of the bounds."""
    values, (low, high) = as_numpy(images), bounds
    unit = UNIT * (high - low)
    step = np.where(np.random.default_rng(0).random(values.shape) < 0.5, unit, -unit).astype(np.float32)
    moved = values + step
    return like(np.where((moved < low) | (moved > high) | (moved == values), values - step, moved), images)


def again(method: Method, model: Model, images: Array, target: Any, places: Sequence[int]) -> Result:
    """The method on the images at `places`, moved by one rounding; `target` is one for all, or one for each image."""
    picked = namespace(images).stack([images[n, ...] for n in places])
    each = isinstance(target, list | tuple | np.ndarray)
    moved = rounded(picked, model.input.bounds or (0.0, 1.0))
    return method(model, moved, [target[n] for n in places] if each else target)  # type: ignore[no-any-return]
