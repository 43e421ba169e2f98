"""One picture of shapes: a large one, which is its class, and up to two small ones, that do not touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import hypot, pi
from types import MappingProxyType
from typing import Any

import numpy as np

from ...errors import ParameterError

__all__ = ["CLASSES", "NAMES", "SMALLEST", "Drawing", "draw_shapes"]

Numbers = np.ndarray[Any, Any]

COLOURS = {
    "red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (235, 205, 40),
    "magenta": (200, 50, 190),
}  # fmt: skip
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "shape": ("disc", "square", "triangle", "ring", "cross"),
    "colour": tuple(COLOURS),
    "texture": ("plain", "striped", "dotted", "checked"),
})  # fmt: skip
"""The concepts of each category; the first one's number in a mask is 1."""
CLASSES = tuple(f"{colour} {texture} {shape}" for shape, colour, texture in product(*(NAMES[each] for each in NAMES)))
"""What the large shape can be, "red striped disc"."""
SMALLEST = 16
"""Pixels of a side on which textures can still be told apart."""
DARK = 0.35
"""Of the colour's brightness: what stripes, dots and checks have."""
LARGE, SMALL = (0.2, 0.34), (0.09, 0.13)
"""Radii, as shares of the side."""
TRIES = 12
"""Places that are tried for a small shape; it is left out where all touch another one."""


@dataclass(frozen=True)
class Drawing:
    """A picture and what its pixels are."""

    pixels: Numbers
    """(size, size, 3) uint8."""
    masks: Mapping[str, Numbers]
    """By category (size, size) uint8: the number of the concept at each pixel, 0 outside all shapes."""
    label: str
    """The class of the large shape, one of `CLASSES`."""


@dataclass(frozen=True)
class _Shape:
    """Where one stands and what it is; lengths in pixels."""

    x: float
    y: float
    radius: float
    kinds: Mapping[str, int]
    """By category the place of its concept in `NAMES`."""


def draw_shapes(number: int, *, size: int = 64, seed: int = 0) -> Drawing:
    """One picture of the set that a seed gives: the same each time, however many others are drawn.

    A pixel belongs to a shape if its centre lies inside: edges are not smoothed, so that masks are exact.

    Args:
        number: of the picture, from 0.
        size: pixels of a side.
        seed: of the set.

    Raises:
        ParameterError: a size that is too small, or a negative number.
    """
    if size < SMALLEST:
        raise ParameterError(f"size is {size}; shapes and their textures need at least {SMALLEST} pixels")
    if min(number, seed) < 0:
        raise ParameterError(f"the picture is number {number} of seed {seed}; both are 0 or more")
    rng = np.random.default_rng([seed, number])
    pixels = _background(rng, size)
    masks = {category: np.zeros((size, size), np.uint8) for category in NAMES}
    shapes = _shapes(rng, size)
    for each in shapes:
        inside, colours = _drawn(rng, each, size)
        pixels[inside] = colours[inside]
        for category, mask in masks.items():
            mask[inside] = each.kinds[category] + 1
    shape, colour, texture = (NAMES[each][shapes[0].kinds[each]] for each in NAMES)
    return Drawing(pixels.clip(0, 255).astype(np.uint8), masks, f"{colour} {texture} {shape}")


def _background(rng: np.random.Generator, size: int) -> Numbers:
    """A grey slope with noise, (size, size, 3) float."""
    y, x = np.indices((size, size)) / size - 0.5
    angle, level, slope = rng.uniform(0, 2 * pi), rng.uniform(70, 190), rng.uniform(0, 60)
    grey = level + slope * (x * np.cos(angle) + y * np.sin(angle))
    return np.asarray(grey[..., None] + rng.uniform(-8, 8, 3) + rng.normal(0, 6, (size, size, 3)))


def _shapes(rng: np.random.Generator, size: int) -> Sequence[_Shape]:
    """The large one first."""
    shapes = [_placed(rng, size, LARGE)]
    for _ in range(rng.integers(3)):
        for _ in range(TRIES):
            new = _placed(rng, size, SMALL)
            if all(hypot(new.x - old.x, new.y - old.y) > new.radius + old.radius + 1 for old in shapes):
                shapes.append(new)
                break
    return shapes


def _placed(rng: np.random.Generator, size: int, radii: tuple[float, float]) -> _Shape:
    radius = rng.uniform(*radii) * size
    x, y = rng.uniform(radius, size - radius, 2)
    return _Shape(x, y, radius, {category: int(rng.integers(len(each))) for category, each in NAMES.items()})


def _drawn(rng: np.random.Generator, shape: _Shape, size: int) -> tuple[Numbers, Numbers]:
    """Which pixels are inside, (size, size), and the colour at each, (size, size, 3)."""
    y, x = np.indices((size, size)) + 0.5
    angle = rng.uniform(-0.35, 0.35)
    across, down = (x - shape.x) / shape.radius, (y - shape.y) / shape.radius
    turned = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    kinds = {category: NAMES[category][place] for category, place in shape.kinds.items()}
    inside = inside_shape(kinds["shape"], *turned)
    dark = _dark(rng, kinds["texture"], x, y, size)
    colour = np.array(COLOURS[kinds["colour"]]) * rng.uniform(0.85, 1.1) + rng.normal(0, 4, (size, size, 3))
    return inside, np.where(dark[..., None], DARK * colour, colour)


def inside_shape(shape: str, x: Numbers, y: Numbers) -> Numbers:
    """Whether a point is inside a shape whose corners lie on the unit circle, or within it."""
    if shape == "square":
        return np.asarray(np.maximum(abs(x), abs(y)) <= 0.75)
    if shape == "triangle":
        return np.asarray((y <= 0.5) & (y >= 3**0.5 * abs(x) - 1))
    if shape == "cross":
        return np.asarray((np.minimum(abs(x), abs(y)) <= 0.28) & (np.maximum(abs(x), abs(y)) <= 0.95))
    distance = x**2 + y**2
    return np.asarray((distance <= 1) & (distance >= (0.5**2 if shape == "ring" else 0)))


def texture_period(size: int) -> float:
    """Pixels after which a texture repeats, in pictures of a side of so many."""
    return max(4.0, size / 10)


def _dark(rng: np.random.Generator, texture: str, x: Numbers, y: Numbers, size: int) -> Numbers:
    """Which pixels of a texture are dark; periods are about a tenth of the side, at least four pixels."""
    period = texture_period(size)
    phase, angle = rng.uniform(0, period, 2), rng.uniform(0, pi)
    if texture == "plain":
        return np.zeros(x.shape, bool)
    if texture == "striped":
        return np.asarray(((x * np.cos(angle) + y * np.sin(angle) + phase[0]) / period) % 1 < 0.5)
    across, down = (x + phase[0]) / period, (y + phase[1]) / period
    if texture == "dotted":
        return np.asarray(np.hypot(across % 1 - 0.5, down % 1 - 0.5) < 0.3)
    return np.asarray((np.floor(across * 1.5) + np.floor(down * 1.5)) % 2 == 1)
