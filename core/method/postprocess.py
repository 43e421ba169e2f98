"""Postprocessing of raw values as other libraries do it: signs, channels, scale, size. A preset lists what it applies.

Each is a function of values, (N, h, w) or (N, C, H, W), and of the image's size (H, W), with a name for the record;
of volumes (N, d, h, w) or (N, C, D, H, W), and (D, H, W).
Each image is treated by itself, but where the name says otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..arrays import Array, multiply_sides, namespace, relu
from .interpolation import resampling_matrix

__all__ = [
    "Postprocess",
    "Size",
    "absolute",
    "channel_max",
    "channel_mean",
    "channel_sum",
    "eight_bits_of_the_batch",
    "over_largest",
    "positive",
    "resize",
    "unit_range",
]

Size = tuple[int, ...]


@dataclass(frozen=True)
class Postprocess:
    """A function of values, and its name."""

    name: str
    function: Callable[[Array, Size], Array]

    def __call__(self, values: Array, size: Size) -> Array:
        """The new values; `size` is the image's (H, W)."""
        return self.function(values, size)

    def __str__(self) -> str:
        return self.name


absolute = Postprocess("absolute value", lambda values, size: namespace(values).abs(values))
positive = Postprocess("positive part", lambda values, size: relu(values))
channel_max = Postprocess("largest over channels", lambda values, size: namespace(values).max(values, axis=1))
channel_mean = Postprocess("mean over channels", lambda values, size: namespace(values).mean(values, axis=1))
channel_sum = Postprocess("sum over channels", lambda values, size: namespace(values).sum(values, axis=1))


def unit_range(epsilon: float = 0.0) -> Postprocess:
    """(x - min) / (max - min + epsilon) over each image; without an epsilon, zeros where all is the same."""
    return Postprocess(f"min-max, epsilon {epsilon:g}" if epsilon else "min-max", lambda x, size: _unit(x, epsilon))


def _unit(values: Array, epsilon: float) -> Array:
    xp = namespace(values)
    axes = tuple(range(1, values.ndim))
    low = xp.min(values, axis=axes, keepdims=True)
    spread = xp.max(values, axis=axes, keepdims=True) - low + epsilon
    return (values - low) / xp.where(spread > 0, spread, xp.ones_like(spread))


def _over_largest(values: Array, size: Size) -> Array:
    xp = namespace(values)
    largest = xp.max(values, axis=tuple(range(1, values.ndim)), keepdims=True)
    return values / xp.where(largest > 0, largest, xp.ones_like(largest))


over_largest = Postprocess("over the largest", _over_largest)


def _eight_bits(values: Array, size: Size) -> Array:
    xp = namespace(values)
    centred = values - xp.mean(values)
    deviation = xp.maximum(xp.std(values), xp.asarray(math.prod(values.shape) ** -0.5, dtype=values.dtype))
    return xp.trunc(xp.clip(255 * centred / deviation, min=0, max=255))


eight_bits_of_the_batch = Postprocess("standardised over the batch, 255 times, as eight bits", _eight_bits)
"""tf-explain's: all images share a mean and a deviation, and all below the mean is 0. (It casts numbers outside 0 to
255, which C++ leaves undefined: measured, TensorFlow cuts them off, but up to 63 pixels at the end wrap around.)"""


def resize(kind: str) -> Postprocess:
    """Enlarge to the image's size; `kind` as `resampling_matrix` knows it."""

    def enlarge(values: Array, size: Size) -> Array:
        sides = values.shape[-len(size) :]
        return multiply_sides(values, [resampling_matrix(n, m, kind) for n, m in zip(sides, size, strict=True)])

    return Postprocess(f"enlarged to the image, {kind}", enlarge)
