"""The pictures that an attack may make: a norm's ball around each image, within the image's bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import device

from ..arrays import Array, namespace
from ..errors import ParameterError, unknown_name
from .projection import NORMS, furthest, project

__all__ = ["Ball", "Region", "per_image", "refuse_wide", "take_rows"]

SPARSE_STEP = 0.01
"""The share of its numbers that a step in the L1 norm changes (Tramèr and Boneh, 2019, section 3)."""


@dataclass(frozen=True)
class Ball:
    """All images whose distance from a centre is at most `eps`, in the unit of the images, [0, 1].

    Raises:
        ParameterError: another norm, or a radius below 0.
    """

    norm: str
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise ParameterError(unknown_name("norm", self.norm, NORMS))
        if not 0 <= self.eps < np.inf:
            raise ParameterError(f"eps is {self.eps}; it must be a finite number from 0 on, in the images' unit")

    def around(self, centres: Array, bounds: tuple[float, float] | None = (0.0, 1.0)) -> "Region":
        """The balls around images (N, C, H, W), cut by `bounds`; not cut for None."""
        return Region(centres, self.norm, np.full(centres.shape[0], self.eps), bounds)


def refuse_wide(eps: object, norm: str) -> None:
    """Refuse a radius in another unit than images in [0, 1].

    Raises:
        ParameterError: an L-inf radius above 1, within which every picture is.
    """
    if norm == "linf" and isinstance(eps, int | float) and eps > 1:
        raise ParameterError(f"eps is {eps:g} in L-inf, and images are in [0, 1]: 8 of 255 is {8 / 255:.4f}")


@dataclass(frozen=True, eq=False)
class Region:
    """A ball and a box together, around each of N images; all results are float32 and lie in both.

    Of L-inf exactly, also where the difference to the centre is computed in float64; of L1 and L2 to 1e-5 of `eps`, for
    numbers are rounded to float32.
    """

    centres: Array
    """(N, C, H, W)"""
    norm: str
    eps: "np.ndarray[Any, Any]"
    """(N,), float64."""
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def rows(self, rows: "np.ndarray[Any, Any]") -> "Region":
        """The region of these images."""
        return replace(self, centres=take_rows(self.centres, rows), eps=self.eps[rows])

    def within(self, eps: "np.ndarray[Any, Any]") -> "Region":
        """The same around the same images with other radii (N,)."""
        return replace(self, eps=eps)

    def project(self, x: Array) -> Array:
        """The nearest images of the region to `x`, by Euclidean distance."""
        if self.norm == "linf":  # without a detour over float64
            low, high = self._limits
            return namespace(x).clip(x, low, high)
        return self._moved(project(self._double(x) - self._origin, *self._room, self._radius, self.norm))

    def furthest(self, gradient: Array) -> Array:
        """The images of the region that lie furthest along a gradient: they maximise what is linear in the image."""
        if self.norm == "linf":
            return self.project(self.centres + namespace(gradient).sign(gradient) * self._single(self._radius))
        return self._moved(furthest(self._double(gradient), *self._room, self._radius, self.norm))

    def step(self, x: Array, gradient: Array, size: "np.ndarray[Any, Any] | float") -> Array:
        """A step of this length, in the norm, along the steepest direction, and back into the region.

        L-inf: the sign of the gradient; L2: the gradient over its length; L1: the signs of the largest 1 % of the
        gradient's numbers among those that the bounds let move (Tramèr and Boneh, 2019), so that no step is lost there.

        Args:
            x: images (N, C, H, W) of the region.
            gradient: of their shape.
            size: one length, or one for each image.
        """
        xp = namespace(x)
        length = self._single(xp.asarray(np.broadcast_to(size, self.eps.shape).copy(), device=device(x)))
        length = xp.reshape(length, (-1, *[1] * (x.ndim - 1)))
        return self.project(x + length * self.direction(x, gradient))

    def direction(self, x: Array, gradient: Array) -> Array:
        """The steepest direction at `x`, of length 1 in the norm; 0 where the gradient is 0."""
        xp, axes = namespace(gradient), tuple(range(1, gradient.ndim))
        if self.norm == "linf":
            return xp.sign(gradient)
        g = self._double(gradient)
        if self.norm == "l1":
            g = self._sparse(x, g)
        size = xp.sum(xp.abs(g) if self.norm == "l1" else g * g, axis=axes, keepdims=True)
        length = size if self.norm == "l1" else xp.sqrt(size)
        return self._single(g / xp.where(length > 0, length, xp.ones_like(length)))

    def random(self, generators: "Sequence[np.random.Generator]") -> Array:
        """A random image of each ball, uniform in it, and then nearest in the region.

        Args:
            generators: one for each image.
        """
        shape, xp = self.centres.shape[1:], namespace(self.centres)
        drawn = [eps * self._draw(rng, shape) for eps, rng in zip(self.eps, generators, strict=True)]
        d = xp.asarray(np.stack(drawn), device=device(self.centres))
        if self.norm == "linf":
            return self.project(self._single(self._origin + d))
        return self._moved(xp.clip(d, *self._room))

    def _draw(self, rng: "np.random.Generator", shape: tuple[int, ...]) -> "np.ndarray[Any, Any]":
        """A point of the unit ball, uniform in it."""
        if self.norm == "linf":
            return rng.uniform(-1, 1, shape)
        count = int(np.prod(shape))
        if self.norm == "l2":
            d = rng.standard_normal(shape)
            return np.asarray(d / np.linalg.norm(d) * rng.uniform() ** (1 / count))
        d = rng.exponential(size=count + 1)
        return np.asarray((d[:-1] / d.sum() * rng.choice([-1.0, 1.0], count)).reshape(shape))

    def _sparse(self, x: Array, g: Array) -> Array:
        """The signs of the largest numbers of `g` that can move along it, as many as `SPARSE_STEP` says."""
        xp = namespace(g)
        low, high = self.bounds or (-np.inf, np.inf)
        free = xp.where(g > 0, x < high, x > low)
        size = xp.where(free, xp.abs(g), xp.zeros_like(g))
        flat = xp.sort(xp.reshape(size, (size.shape[0], -1)), axis=1, descending=True)
        count = max(1, int(SPARSE_STEP * flat.shape[1]))
        least = xp.reshape(flat[:, count - 1], (-1, *[1] * (g.ndim - 1)))
        kept = (size >= least) & (size > 0)
        return xp.where(kept, xp.sign(g), xp.zeros_like(g))

    def _moved(self, d: Array) -> Array:
        """The centres moved by changes that the region allows; what rounding carries over the bounds is cut off."""
        x, (low, high) = self._single(self._origin + d), self.bounds or (None, None)
        return x if low is None else namespace(x).clip(x, low, high)

    @cached_property
    def _origin(self) -> Array:
        return self._double(self.centres)

    @cached_property
    def _radius(self) -> Array:
        """(N, 1, 1, 1), float64."""
        xp, ones = namespace(self.centres), [1] * (self.centres.ndim - 1)
        eps = xp.asarray(np.asarray(self.eps, np.float64), device=device(self.centres))
        return xp.reshape(eps, (-1, *ones))

    @cached_property
    def _room(self) -> tuple[Array, Array]:
        """The least and the largest change of each number that stays within the bounds."""
        xp, (low, high) = namespace(self.centres), self.bounds or (-np.inf, np.inf)
        return xp.clip(low - self._origin, max=0.0), xp.clip(high - self._origin, min=0.0)

    @cached_property
    def _limits(self) -> tuple[Array, Array]:
        """The least and the largest value of each number in the L-inf ball and the bounds, rounded inwards."""
        xp, (low, high) = namespace(self.centres), self._room
        lowest = self._origin + xp.maximum(low, -self._radius)
        highest = self._origin + xp.minimum(high, self._radius)
        return self._rounded(lowest, +1), self._rounded(highest, -1)

    def _rounded(self, limit: Array, inwards: int) -> Array:
        """In float32, by no bit further out than `limit` is."""
        xp = namespace(limit)
        single = self._single(limit)
        out = (self._double(single) - limit) * inwards < 0
        inner = xp.nextafter(single, xp.full_like(single, inwards * float("inf")))
        return xp.where(out, inner, single)

    def _double(self, x: Array) -> Array:
        return namespace(x).astype(x, namespace(x).float64)

    def _single(self, x: Array) -> Array:
        return namespace(x).astype(x, namespace(x).float32)


def take_rows(x: Array, rows: "np.ndarray[Any, Any]") -> Array:
    """Items `rows` of an array (N, ...)."""
    if len(rows) == x.shape[0]:
        return x
    xp = namespace(x)
    return x[rows] if isinstance(x, np.ndarray) else xp.take(x, xp.asarray(rows, device=device(x)), axis=0)


def per_image(values: "np.ndarray[Any, Any]", x: Array) -> Array:
    """Values (N,) as an array (N, 1, ...) that broadcasts with `x`, (N, ...), in its namespace."""
    xp = namespace(x)
    return xp.reshape(xp.asarray(values, device=device(x)), (-1, *[1] * (x.ndim - 1)))
