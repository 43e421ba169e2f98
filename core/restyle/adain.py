"""Adaptive instance normalisation (Huang and Belongie 2017, "Arbitrary Style Transfer in Real-time with AdaIN")."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..arrays import Array, namespace

__all__ = ["EPSILON", "Moments", "adain", "mixed_moments", "moments"]

EPSILON = 1e-5
"""Added to a channel's variance, so that a constant channel has a deviation above 0."""


@dataclass(frozen=True)
class Moments:
    """The mean and the deviation of each channel over the positions of its map, (N, C, 1, 1) each."""

    mean: Array
    deviation: Array


def moments(maps: Array, epsilon: float = EPSILON) -> Moments:
    """Equations 5 and 6 of the paper: mean_hw x, and sqrt(mean_hw (x - mean)^2 + epsilon).

    Args:
        maps: (N, C, h, w).
        epsilon: added to the variance.
    """
    xp = namespace(maps)
    mean = xp.mean(maps, axis=(2, 3), keepdims=True)
    variance = xp.mean((maps - mean) ** 2, axis=(2, 3), keepdims=True)
    return Moments(mean, xp.sqrt(variance + epsilon))


def mixed_moments(several: Sequence[Moments], shares: Sequence[float]) -> Moments:
    """The moments that mix styles: AdaIN is linear in them, so these make the sum of equation 15.

    Args:
        several: of each style.
        shares: of each style, with a sum of 1.
    """
    weighted = list(zip(several, shares, strict=True))
    mean = sum(share * each.mean for each, share in weighted)
    return Moments(mean, sum(share * each.deviation for each, share in weighted))


def adain(maps: Array, style: Moments, strength: float = 1.0, content: Moments | None = None) -> Array:
    """Equation 8 with equation 14's trade-off: (1 - a) x + a (sigma(y) (x - mu(x)) / sigma(x) + mu(y)).

    Args:
        maps: x, (N, C, h, w).
        style: mu(y) and sigma(y).
        strength: a.
        content: mu(x) and sigma(x) where `maps` are a part of what is normalised; those of `maps` if not given.
    """
    own = moments(maps) if content is None else content
    moved = style.deviation * ((maps - own.mean) / own.deviation) + style.mean
    return (1.0 - strength) * maps + strength * moved
