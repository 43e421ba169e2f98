"""What a network takes, as its user sees it, and the refusal of what it would silently get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, namespace
from ..errors import ImageError, ModelError, ParameterError

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
        """A concrete (C, H, W) that the network accepts; (C, D, H, W) of volumes."""
        channels, *places = self.shape
        return (
            (channels or 3, *(n or self._usual for n in places)) if self.is_image else tuple(n or 1 for n in self.shape)
        )

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
        expected = "(N, " + ", ".join("any" if n is None else str(n) for n in self.shape) + ")"
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise ImageError(
                f"images are {type(x).__name__}; they must be an array {expected}: see crosslens.load_image"
            )
        if x.ndim != len(self.shape) + 1 or any(
            a not in {None, b} for a, b in zip(self.shape, x.shape[1:], strict=True)
        ):
            raise ImageError(f"images have shape {tuple(x.shape)}; this model takes {expected}.{self._shape_hint(x)}")
        if x.shape[0] == 0:
            raise ImageError("the batch holds no image")
        xp = namespace(x)
        if x.dtype != xp.float32:
            by_255 = "uint8" in str(x.dtype) and self.bounds == (0.0, 1.0)
            hint = " Divide by 255 first." if by_255 else ""
            within = "" if self.bounds is None else f" in {_interval(self.bounds)}"
            raise ImageError(f"images have dtype {x.dtype}; they must be float32{within}.{hint}")
        self._check_values(float(xp.min(x)), float(xp.max(x)), strict)
        if strict and self.bounds is not None:
            _refuse_unscaled(x, self.bounds)

    def _shape_hint(self, x: Array) -> str:
        shape = tuple(x.shape)
        if len(shape) == len(self.shape):
            return " Add the batch axis: image[None]."
        if len(shape) == len(self.shape) + 1 and self.is_image and shape[-1] == self.shape[0]:
            axes = "(N, D, H, W, C)" if self.is_volume else "(N, H, W, C)"
            return f" This looks like {axes}: move the channels to the front."
        return " Load the picture with crosslens.load_image(path, like=model)."

    def _check_values(self, low: float, high: float, strict: bool) -> None:
        if not np.isfinite(low) or not np.isfinite(high):
            raise ImageError("images hold NaN or infinite values; every value must be finite")
        if self.bounds is None:
            return
        slack = (1e-3 if strict else 8.0) * (self.bounds[1] - self.bounds[0])
        if low < self.bounds[0] - slack or high > self.bounds[1] + slack:
            normalised = low < self.bounds[0] - slack and high < self.bounds[0] + 8 * (self.bounds[1] - self.bounds[0])
            by_255 = self.bounds == (0.0, 1.0) and not normalised
            hint = " Divide by 255 first." if by_255 else " Undo the normalisation: the model does its own."
            raise ImageError(
                f"images reach from {low:.4g} to {high:.4g}; values must lie in {list(self.bounds)}.{hint}"
            )


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:g}, {bounds[1]:g}]"


def _refuse_unscaled(x: Array, bounds: tuple[float, float]) -> None:
    """Refuse images in [0, 1] where a range such as [0, 255] is meant: nearly black, and no whole numbers."""
    xp = namespace(x)
    if bounds[0] < 0 or bounds[1] < 100 or float(xp.max(x)) > 1 or not bool(xp.any(x != xp.round(x))):
        return
    raise ImageError(
        f"images lie in [0, 1], and this model's in {_interval(bounds)}: multiply by {bounds[1]:g} first, or wrap the "
        "model without bounds="
    )
