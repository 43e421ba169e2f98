"""What a network takes, as its user sees it, and the refusal of what it would silently get wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .arrays import Array, namespace
from .errors import ImageError

__all__ = ["InputSpec"]


@dataclass(frozen=True)
class InputSpec:
    """What a network takes, as its user sees it: an image (C, H, W), None = any size, or a latent vector."""

    shape: tuple[int | None, ...] = (3, None, None)
    bounds: tuple[float, float] | None = (0.0, 1.0)

    @classmethod
    def latent(cls, shape: Sequence[int]) -> "InputSpec":
        """The input of a generator: a code of this shape without bounds."""
        return cls(tuple(shape), None)

    @property
    def is_image(self) -> bool:
        """Whether the input is a picture, (C, H, W) with bounds."""
        return len(self.shape) == 3 and self.bounds is not None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels to load a picture at; 224 where any will do."""
        height, width = self.shape[-2:]
        return height or 224, width or 224

    @property
    def example_shape(self) -> tuple[int, ...]:
        """A concrete (C, H, W) that the network accepts."""
        return (self.shape[0] or 3, *self.size) if self.is_image else tuple(n or 1 for n in self.shape)

    def of_any_size(self) -> "InputSpec":
        """The same input with any height and width where it is an image."""
        return replace(self, shape=(self.shape[0], None, None)) if self.is_image else self

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
            hint = " Divide by 255 first." if "uint8" in str(x.dtype) else ""
            raise ImageError(f"images have dtype {x.dtype}; they must be float32 in [0, 1].{hint}")
        self._check_values(float(xp.min(x)), float(xp.max(x)), strict)

    def _shape_hint(self, x: Array) -> str:
        shape = tuple(x.shape)
        if len(shape) == len(self.shape):
            return " Add the batch axis: image[None]."
        if len(shape) == 4 and len(self.shape) == 3 and shape[3] == self.shape[0]:
            return " This looks like (N, H, W, C): move the channels to the front."
        return " Load the picture with crosslens.load_image(path, like=model)."

    def _check_values(self, low: float, high: float, strict: bool) -> None:
        if not np.isfinite(low) or not np.isfinite(high):
            raise ImageError("images hold NaN or infinite values; every value must be finite")
        if self.bounds is None:
            return
        slack = (1e-3 if strict else 8.0) * (self.bounds[1] - self.bounds[0])
        if low < self.bounds[0] - slack or high > self.bounds[1] + slack:
            normalised = low < self.bounds[0] - slack and high < 8
            hint = " Undo the normalisation: the model does its own." if normalised else " Divide by 255 first."
            raise ImageError(
                f"images reach from {low:.4g} to {high:.4g}; values must lie in {list(self.bounds)}.{hint}"
            )
