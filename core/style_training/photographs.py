"""Random crops of a source's pictures: what style networks are trained on."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy as np

from ..arrays import as_numpy
from ..data import Source
from ..errors import ImageError
from ..model.base import Model
from ..model.input_spec import InputSpec
from ..operators import Size

__all__ = ["FEW", "Photographs", "Pixels"]

FEW = 16
"""Ulyanov et al. (2017) trained on so many pictures and saw no overfitting; fewer are noted."""
ZOOM = 1.25
"""A picture's middle, scaled to cover so many times the size of the crops, is what they are cut from."""
KEPT = 128
"""Pictures kept in memory; the others are read each time."""
Pixels: TypeAlias = np.ndarray[Any, Any]


@dataclass
class Photographs:
    """Crops by step: which picture, where, and whether it is mirrored depends on the seed and the step alone.

    A picture that cannot be read is listed in `failures` and the next one taken in its place.

    Raises:
        ImageError: none of the source's pictures can be read; the reason of the first.
    """

    source: Source
    size: Size
    """(H, W) of the crops in pixels."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a picture cannot be used, by its id."""

    def __post_init__(self) -> None:
        self._reads = _Reader(InputSpec((3, *(round(ZOOM * side) for side in self.size))))
        self._kept: dict[int, Pixels] = {}
        self.source.check(cast("Model", self._reads))
        for index in range(min(len(self.source), KEPT)):
            self._read(index)
        if not self._kept:
            self._picture(0)

    def crops(self, count: int, rng: np.random.Generator) -> Pixels:
        """Crops of random pictures, (count, 3, H, W) in [0, 1], float32."""
        return np.stack([self._crop(self._picture(int(rng.integers(len(self.source)))), rng) for _ in range(count)])

    def middle(self, index: int = 0) -> Pixels:
        """The middle of a picture, (1, 3, H, W): the one that samples show."""
        picture = self._picture(index)
        top, left = ((n - side) // 2 for n, side in zip(picture.shape[1:], self.size, strict=True))
        return picture[None, :, top : top + self.size[0], left : left + self.size[1]]

    def _crop(self, picture: Pixels, rng: np.random.Generator) -> Pixels:
        top, left = (int(rng.integers(n - side + 1)) for n, side in zip(picture.shape[1:], self.size, strict=True))
        crop = picture[:, top : top + self.size[0], left : left + self.size[1]]
        return crop[:, :, ::-1] if rng.integers(2) else crop

    def _picture(self, index: int) -> Pixels:
        """Picture `index`, or the next one that can be read."""
        for offset in range(len(self.source)):
            picture = self._read((index + offset) % len(self.source))
            if picture is not None:
                return picture
        name, reason = next(iter(self.failures.items()))
        raise ImageError(f"none of the {len(self.source)} pictures of {self.source} can be read; {name}: {reason}")

    def _read(self, index: int) -> Pixels | None:
        if index in self._kept:
            return self._kept[index]
        if self.source.ids[index] in self.failures:
            return None
        read = self.source.read(index, index + 1, cast("Model", self._reads))
        for failure in read.failures:
            self.failures[failure.id] = failure.reason
        if read.images is None:
            return None
        picture: Pixels = as_numpy(read.images)[0]
        if index < KEPT:
            self._kept[index] = picture
        return picture

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the pictures: few, or some that cannot be read."""
        notes = list(self.source.notes)
        usable = len(self.source) - len(self.failures)
        if usable < FEW:
            notes.append(f"trained on {usable} photographs only: with fewer than {FEW} a network learns them by heart")
        notes += [f"{name} cannot be read and was left out: {reason}" for name, reason in self.failures.items()]
        return tuple(notes)


@dataclass(frozen=True)
class _Reader:
    """What a source must know of a model to give pictures in colours of one size."""

    input: InputSpec
