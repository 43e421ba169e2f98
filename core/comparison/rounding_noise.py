"""Rounding noise: how far an explanation on one model moves when the image changes by one float32 rounding.

Two frameworks add up the same numbers in another order, so that their activations differ by some units in the last
place. In a network of rectifiers a pre-activation this close to zero changes its sign, and a gradient jumps by percents
at that place, in one framework as between two. The estimate runs ONE model twice: once as it is, once with every value
of the images moved by one rounding, in another batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..execution.notices import withhold
from ..method.base import Method
from ..model.base import Model
from ..result import Result
from .aggregate import worst
from .result_figures import figures_between, values_and_maps

__all__ = ["MOST_IMAGES", "UNIT", "Noise", "evenly_spread", "round_at_random", "rounding_noise"]

MOST_IMAGES = 4
"""Largest number of images that the noise is measured on."""
UNIT = 2.0**-24
"""The spacing of float32 numbers below 1, as a share of the range: the largest rounding error of an image's value."""


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


def rounding_noise(method: Method, name: str, model: Model, result: Result, target: Any) -> Noise:
    """Run a method again with the images of a result moved by one rounding, and measure how far the result moves.

    Args:
        method: what gave the result.
        name: the model's name.
        model: the model that it was run on.
        result: of the images as they are.
        target: what was explained: one for all images, or a list with one for each.
    """
    before = values_and_maps(result)
    places = evenly_spread(len(before[0]))
    after = values_and_maps(_run_on_rounded_images(method, model, result.images, target, places))
    return Noise(name, len(places), worst(figures_between(before, after, n, m) for m, n in enumerate(places)))


def evenly_spread(count: int) -> list[int]:
    """At most `MOST_IMAGES` of the indices below `count`, spread evenly.

    >>> evenly_spread(9)
    [0, 3, 5, 8]
    """
    return sorted({int(n) for n in np.linspace(0, count - 1, min(count, MOST_IMAGES)).round()})


def round_at_random(images: Array, bounds: tuple[float, float] = (0.0, 1.0)) -> Array:
    """Images with every value moved by `UNIT` of the range, up or down by chance; never out of the bounds."""
    values, (low, high) = as_numpy(images), bounds
    unit = UNIT * (high - low)
    step = np.where(np.random.default_rng(0).random(values.shape) < 0.5, unit, -unit).astype(np.float32)
    moved = values + step
    return like(np.where((moved < low) | (moved > high) | (moved == values), values - step, moved), images)


def _run_on_rounded_images(method: Method, model: Model, images: Array, target: Any, places: Sequence[int]) -> Result:
    """The method's result for the images at `places`, moved by one rounding."""
    picked = namespace(images).stack([images[n, ...] for n in places])
    one_each = isinstance(target, list | tuple | np.ndarray)
    moved = round_at_random(picked, model.input.bounds or (0.0, 1.0))
    with withhold():
        return method(model, moved, [target[n] for n in places] if one_each else target)
