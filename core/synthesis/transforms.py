"""Random transforms: the operators between an image and a network, drawn anew at each step of a synthesis.

A picture that excites a unit only where it stands exactly is noise; one that does so moved and scaled as well is a
pattern (Olah et al. 2017, "Transformation robustness"). All draws come from a NumPy generator, so that a seed means
the same transforms on every backend.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from ..errors import ParameterError
from ..operators import Crop, Identity, Noise, Operator, Pad, PadResizeCrop, Resize, Rotate, Size

__all__ = [
    "Compose",
    "NoTransform",
    "Padded",
    "RandomCrop",
    "RandomNoise",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomScale",
    "RandomTransform",
    "crop_transform",
    "robust_transform",
]


class RandomTransform(ABC):
    """A distribution of operators."""

    @abstractmethod
    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """One operator for pictures of `size`, and the size that it makes of them."""


class NoTransform(RandomTransform):
    """Always the picture itself."""

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """The identity."""
        return Identity(), size


@dataclass(frozen=True)
class Padded(RandomTransform):
    """Always the same grey border."""

    margin: int

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `Pad`."""
        return Pad(self.margin), (size[0] + 2 * self.margin, size[1] + 2 * self.margin)


@dataclass(frozen=True)
class RandomScale(RandomTransform):
    """On grey, both sides times one factor, uniform between 1 - amount and 1 + amount, seen through a window.

    The window is off the centre by up to `shift` pixels along each axis, uniform; never over the edge.
    """

    margin: int
    amount: float
    shift: int

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `PadResizeCrop`."""
        factor = rng.uniform(1 - self.amount, 1 + self.amount)
        height, width = (ceil((n + 2 * self.margin) * factor) for n in size)
        return PadResizeCrop(size, self.margin, (height, width), _corner((height, width), size, self.shift, rng)), size


@dataclass(frozen=True)
class RandomRotation(RandomTransform):
    """About the middle by up to `degrees` either way, uniform."""

    degrees: float

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `Rotate`."""
        return Rotate(rng.uniform(-self.degrees, self.degrees)), size


@dataclass(frozen=True)
class RandomCrop(RandomTransform):
    """A window of `to` pixels, off the centre by up to `shift` pixels along each axis, uniform; never over the edge."""

    to: Size
    shift: int

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `Crop`."""
        return Crop(size, self.to, _corner(size, self.to, self.shift, rng)), self.to


def _corner(size: Size, to: Size, shift: int, rng: "np.random.Generator") -> tuple[int, int]:
    """Of a window of `to` pixels in `size`."""
    moved = [c + int(rng.integers(-shift, shift + 1)) for c in Crop.centre(size, to).corner]
    top, left = (min(max(m, 0), s - t) for m, s, t in zip(moved, size, to, strict=True))
    return top, left


@dataclass(frozen=True)
class RandomResizedCrop(RandomTransform):
    """A window of between `least` and `most` of the picture's sides, uniform, at size `to`.

    Its middle is normal around the picture's, deviation 0.15 of a side, but never over the edge (Fel et al. 2023).
    """

    least: float
    most: float
    to: Size

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `Crop`, then a `Resize`."""
        share, middle = rng.uniform(self.least, self.most), rng.normal(0.5, 0.15, 2)
        height, width = (max(1, round(share * n)) for n in size)
        places = zip(middle, size, (height, width), strict=True)
        top, left = (min(max(round(m * n - w / 2), 0), n - w) for m, n, w in places)
        crop = Crop(size, (height, width), (top, left))
        return crop >> Resize((height, width), self.to), self.to  # type: ignore[return-value]


@dataclass(frozen=True)
class RandomNoise(RandomTransform):
    """Under normal noise of `deviation`, another one each time."""

    deviation: float

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """A `Noise`."""
        return Noise(self.deviation, int(rng.integers(2**32))), size


@dataclass(frozen=True)
class Compose(RandomTransform):
    """Transforms one after the other."""

    parts: tuple[RandomTransform, ...]

    def draw(self, size: Size, rng: "np.random.Generator") -> tuple[Operator, Size]:
        """The composition of one draw of each part."""
        total: Operator = Identity()
        for part in self.parts:
            operator, size = part.draw(size, rng)
            total = total >> operator  # type: ignore[assignment]  # two operators make an operator
        return total, size


def robust_transform(size: Size, shift: float, zoom: float, turn: float = 0.0, noise: float = 0.0) -> RandomTransform:
    """Scaled by up to `zoom`, moved along each axis by up to `shift` of the shorter side, on grey, at the same size.

    Args:
        size: (H, W) of the pictures.
        shift: largest move along each axis, as a share of the shorter side, in [0, 1).
        zoom: largest change of scale, up or down, in [0, 1).
        turn: largest rotation in degrees, either way, in [0, 180]; 0 for none.
        noise: deviation of normal noise in [0, 1]; 0 for none.

    Raises:
        ParameterError: shift or zoom does not lie within [0, 1), turn not within [0, 180], noise not within [0, 1].
    """
    if noise:
        return Compose((robust_transform(size, shift, zoom, turn), _noisy(noise)))
    if not 0 <= shift < 1 or not 0 <= zoom < 1:
        raise ParameterError(f"shift is {shift} and zoom {zoom}; both are shares of the picture's side, within [0, 1)")
    if not 0 <= turn <= 180:
        raise ParameterError(f"turn is {turn} degrees; it must lie within [0, 180]")
    if turn:
        return Compose((RandomRotation(turn), robust_transform(size, shift, zoom)))
    if shift == 0 and zoom == 0:
        return NoTransform()
    moved = round(shift * min(size))
    margin = max(ceil(((n + 2 * moved) / (1 - zoom) - n) / 2) for n in size)
    return RandomScale(margin, zoom, moved) if zoom else Compose((Padded(margin), RandomCrop(size, moved)))


def crop_transform(crop: Sequence[float], noise: float, to: Size) -> RandomTransform:
    """Close-ups of between two shares of the sides at size `to`, under normal noise.

    Raises:
        ParameterError: shares that do not lie within (0, 1], the least first, or a noise that is not within [0, 1].
    """
    if len(crop) != 2 or not 0 < crop[0] <= crop[1] <= 1:
        raise ParameterError(
            f"crop is {tuple(crop)}; it must be two shares of the sides within (0, 1], the least first"
        )
    near = RandomResizedCrop(crop[0], crop[1], to)
    return Compose((near, _noisy(noise))) if noise else near


def _noisy(noise: float) -> RandomTransform:
    if not 0 <= noise <= 1:
        raise ParameterError(f"noise is {noise}; its deviation must lie within [0, 1], the pictures' range")
    return RandomNoise(noise)
