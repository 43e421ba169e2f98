"""Random views: the operators between an image and a network, drawn anew at each step of a synthesis.

A picture that excites a unit only where it stands exactly is noise; one that does so moved and scaled as well is a
pattern (Olah et al. 2017, "Transformation robustness"). All draws come from a NumPy generator, so that a seed means
the same views on every backend.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from .errors import ParameterError
from .operators import Crop, Identity, Operator, Pad, Resize, Rotate, Size

__all__ = ["Bordered", "Cut", "Turned", "Unchanged", "View", "Views", "Zoomed", "robust_view"]

Place = Callable[[np.random.Generator], int]


class View(ABC):
    """A distribution of operators."""

    @abstractmethod
    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """One operator for pictures of `size`, and the size that it makes of them."""


class Unchanged(View):
    """Always the picture itself."""

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """The identity."""
        return Identity(), size


@dataclass(frozen=True)
class Bordered(View):
    """Always the same grey border."""

    margin: int

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """A `Pad`."""
        return Pad(self.margin), (size[0] + 2 * self.margin, size[1] + 2 * self.margin)


@dataclass(frozen=True)
class Zoomed(View):
    """Both sides times one factor, uniform between 1 - amount and 1 + amount."""

    amount: float

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """A `Resize`."""
        factor = rng.uniform(1 - self.amount, 1 + self.amount)
        to = (ceil(size[0] * factor), ceil(size[1] * factor))
        return Resize(size, to), to


@dataclass(frozen=True)
class Turned(View):
    """About the middle by up to `degrees` either way, uniform."""

    degrees: float

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """A `Rotate`."""
        return Rotate(rng.uniform(-self.degrees, self.degrees)), size


@dataclass(frozen=True)
class Cut(View):
    """A window of `to` pixels, off the centre by up to `shift` pixels along each axis, uniform; never over the edge."""

    to: Size
    shift: int

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """A `Crop`."""
        centre = Crop.centre(size, self.to).corner
        moved = [c + int(rng.integers(-self.shift, self.shift + 1)) for c in centre]
        top, left = (min(max(m, 0), s - t) for m, s, t in zip(moved, size, self.to, strict=True))
        return Crop(size, self.to, (top, left)), self.to


@dataclass(frozen=True)
class Views(View):
    """Views one after the other."""

    parts: tuple[View, ...]

    def draw(self, size: Size, rng: np.random.Generator) -> tuple[Operator, Size]:
        """The composition of one draw of each part."""
        total: Operator = Identity()
        for part in self.parts:
            operator, size = part.draw(size, rng)
            total = total >> operator  # type: ignore[assignment]  # two operators make an operator
        return total, size


def robust_view(size: Size, shift: float, zoom: float, turn: float = 0.0) -> View:
    """Zoomed by up to `zoom`, moved along each axis by up to `shift` of the shorter side, on grey, at the same size.

    And turned by up to `turn` degrees either way.

    Raises:
        ParameterError: shift or zoom does not lie within [0, 1), turn not within [0, 180].
    """
    if not 0 <= shift < 1 or not 0 <= zoom < 1:
        raise ParameterError(f"shift is {shift} and zoom {zoom}; both are shares of the picture's side, within [0, 1)")
    if not 0 <= turn <= 180:
        raise ParameterError(f"turn is {turn} degrees; it must lie within [0, 180]")
    if turn:
        return Views((Turned(turn), robust_view(size, shift, zoom)))
    if shift == 0 and zoom == 0:
        return Unchanged()
    moved = round(shift * min(size))
    margin = max(ceil(((n + 2 * moved) / (1 - zoom) - n) / 2) for n in size)
    zoomed = (Zoomed(zoom),) if zoom else ()
    return Views((Bordered(margin), *zoomed, Cut(size, moved)))
