"""What a network takes, as its user sees it, and the refusal of what it would silently get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from array_api_compat import is_array_api_obj

from ..arrays import Array, namespace
from ..errors import ImageError, ModelError, ParameterError
from ..input.conversion import Wanted, refusal
from ..input.unit import unit_of

__all__ = ["InputSpec"]


@dataclass(frozen=True)
class InputSpec:
    """What a network takes, as its user sees it: an image (C, H, W), None = any size, a volume, or a latent vector.

    A volume (C, D, H, W) is an image with one more axis of places. `bounds` are the least and the largest value that
    an image holds, [0, 1] unless told; None for an input that is not an image.
    """

    shape: tuple[int | None, ...] = (3, None, None)
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.bounds is None:
            return
        low, high = self.bounds
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ParameterError(f"bounds are {self.bounds}; they must be two finite numbers, the lower one first")

    @classmethod
    def latent(cls, shape: Sequence[int]) -> "InputSpec":
        """The input of a generator: a code of this shape without bounds."""
        return cls(tuple(shape), None)

    @property
    def is_image(self) -> bool:
        """Whether the input is a picture (C, H, W) or a volume (C, D, H, W), with bounds."""
        return len(self.shape) in {3, 4} and self.bounds is not None

    @property
    def is_volume(self) -> bool:
        """Whether the input is a volume, (C, D, H, W) with bounds."""
        return len(self.shape) == 4 and self.bounds is not None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels to load a picture, or a slice of a volume, at; 224 where any will do, 32 for a volume."""
        height, width = self.shape[-2:]
        return height or self._usual, width or self._usual

    @property
    def range(self) -> float:
        """The difference between the bounds: what a step or a noise is a share of; 1 without bounds."""
        low, high = self.bounds or (0.0, 1.0)
        return high - low

    @property
    def _usual(self) -> int:
        return 32 if self.is_volume else 224

    @property
    def example_shape(self) -> tuple[int, ...]:
        """A concrete (C, H, W) that the network accepts; (C, D, H, W) of volumes, (C, 8, 8) of features of any size."""
        channels, *places = self.shape
        if self.is_image:
            return (channels or 3, *(n or self._usual for n in places))
        return (channels or 1, *(n or 8 for n in places))

    def of_any_size(self) -> "InputSpec":
        """The same input with any height and width where it is an image."""
        return replace(self, shape=(self.shape[0], *[None] * (len(self.shape) - 1))) if self.is_image else self

    def within(self, bounds: tuple[float, float] | None) -> "InputSpec":
        """The same input with these bounds; itself for None.

        Raises:
            ModelError: the input is not an image, so that bounds mean nothing.
        """
        if bounds is None:
            return self
        if not self.is_image:
            raise ModelError(f"bounds= are for images; this network takes {self.shape}: leave bounds out")
        return replace(self, bounds=bounds)

    def from_unit(self, images: Array) -> Array:
        """Images in [0, 1] as ones in `bounds`: 0 becomes the lower bound and 1 the upper; as they are without."""
        low, high = self.bounds or (0.0, 1.0)
        return images if (low, high) == (0.0, 1.0) else low + (high - low) * images

    def to_unit(self, images: Array) -> Array:
        """Images in `bounds` as ones in [0, 1]: the inverse of `from_unit`."""
        low, high = self.bounds or (0.0, 1.0)
        return images if (low, high) == (0.0, 1.0) else (images - low) / (high - low)

    def check(self, x: Array, *, strict: bool = False) -> None:
        """Refuse what this network would silently get wrong.

        Args:
            x: a batch, (N, *shape).
            strict: values must lie in `bounds` (as an image to explain does), not merely near them (as noise may).

        Raises:
            ImageError: wrong type, shape or channels, NaN, or a range that is not that of `bounds`.
        """
        if not is_array_api_obj(x):
            raise ImageError(
                f"images are {type(x).__name__}; this model takes an array {self.wanted}: see crosslens.load_image"
            )
        if 0 in x.shape:
            raise ImageError("the batch holds no image")
        unit = unit_of(x, self.bounds, strict=strict)
        if unit.kind != "right" or not self.takes_shape(x.shape) or x.dtype != namespace(x).float32:
            raise ImageError(refusal(x, self.wanted, strict=strict))

    def takes_shape(self, shape: Sequence[int]) -> bool:
        """Whether a batch has this shape, (N, *shape), where None stands for any length."""
        return len(shape) == len(self.shape) + 1 and all(
            a in {None, b} for a, b in zip(self.shape, shape[1:], strict=True)
        )

    @property
    def wanted(self) -> Wanted:
        """The same for those who convert arrays."""
        return Wanted(self.shape, self.bounds)
