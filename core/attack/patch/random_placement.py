"""Where a patch may lie in a picture: how large, how far turned, where; and one such placement at random."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from ...errors import ParameterError
from ...operators import Placement, Size

__all__ = ["RandomPlacement", "patch_width"]


def patch_width(area: float, shape: str, size: Size) -> float:
    """The width in pixels of a patch that covers this share of a picture's area: a circle's diameter, a square's side.

    >>> round(patch_width(0.1, "circle", (224, 224)), 1), round(patch_width(0.25, "square", (10, 10)), 1)
    (79.9, 5.0)
    """
    return sqrt(area * size[0] * size[1] * (4 / pi if shape == "circle" else 1.0))


@dataclass(frozen=True)
class RandomPlacement:
    """Placements of a patch, drawn evenly: its turn, its scale, and its place among those where all of it is inside."""

    area: float
    """Share of the picture's area that the patch covers at scale 1."""
    shape: str
    scale: tuple[float, float] = (1.0, 1.0)
    """Least and largest width, as a share of the width at `area`."""
    rotation: float = 0.0
    """Degrees either way."""
    location: tuple[float, float] | None = None
    """Of the patch's middle, as shares of the picture's height and width; None for anywhere."""

    def side(self, size: Size) -> int:
        """Pixels of the patch's side where it is as fine as pictures of this size."""
        return max(1, round(patch_width(self.area, self.shape, size)))

    def unit(self, size: Size, side: int) -> float:
        """Pixels of a picture of this size for one of a patch of `side` pixels, at scale 1."""
        return patch_width(self.area, self.shape, size) / side

    def draw(self, rng: "np.random.Generator", size: Size, side: int) -> Placement:
        """A placement of a patch of `side` pixels in a picture of this size; always four numbers are drawn."""
        degrees = rng.uniform(-self.rotation, self.rotation)
        scale = self.unit(size, side) * rng.uniform(*self.scale)
        free = rng.uniform(size=2)
        reach = Placement(0.0, 0.0, degrees, scale).reach((side, side), self.shape)
        row, column = (
            n * self.location[axis] if self.location else far + free[axis] * (n - 2 * far)
            for axis, (far, n) in enumerate(zip(reach, size, strict=True))
        )
        return Placement(float(row), float(column), degrees, scale)

    def check(self, size: Size) -> None:
        """Refuse pictures of which the patch, at its largest and turned, would stick out.

        Raises:
            ParameterError: with what it needs, and how much there is.
        """
        width = patch_width(self.area, self.shape, size) * self.scale[1]
        far, _ = Placement(0.0, 0.0, min(self.rotation, 45.0)).reach((width, width), self.shape)
        at = self.location or (0.5, 0.5)
        room = min(min(n * share, n * (1 - share)) for n, share in zip(size, at, strict=True))
        if far <= room + 1e-6:
            return
        where = f"at location {at[0]:g}, {at[1]:g}, " if self.location else ""
        raise ParameterError(
            f"area is {self.area:g} and scale up to {self.scale[1]:g}: {where}turned by up to {self.rotation:g} "
            f"degrees the patch reaches {far:.1f} pixels from its middle, and pictures of {size[0]} x {size[1]} pixels "
            f"have room for {room:.1f}; give a smaller area or scale" + ", or another location" * bool(self.location)
        )
