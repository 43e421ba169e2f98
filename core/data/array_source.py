"""Images that are in memory, or in a memory-mapped file, as one array."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

from ..arrays import Array, array_bytes, namespace
from ..errors import ImageError, ParameterError
from ..image.batch import image_batch
from ..model.base import Model
from .source import Failure, Samples, Source

__all__ = ["ArraySource"]

PORTION = 256
"""Images that the digest reads at once."""


class ArraySource(Source):
    """Images (N, C, H, W), or volumes (N, C, D, H, W), float32 in the model's bounds; ids are "0", "1", ...

    Arrays with the channels last and of other types, uint8 for example, are converted as a method does. An image that
    holds NaN or values outside the bounds is a failure; the others are used.
    """

    def __init__(self, images: Array, labels: Sequence[str] | None = None) -> None:
        if getattr(images, "ndim", 0) not in {4, 5} or not images.shape[0]:
            shape = f"an array of shape {tuple(images.shape)}" if hasattr(images, "shape") else type(images).__name__
            raise ImageError(f"a source is made of images (N, C, H, W), at least one; this is {shape}")
        if labels is not None and len(labels) != images.shape[0]:
            raise ParameterError(f"there are {len(labels)} labels for {images.shape[0]} images; give one per image")
        self._images = images
        self._labels = None if labels is None else tuple(labels)

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def __repr__(self) -> str:
        return f"<ArraySource: images {tuple(self._images.shape)}>"

    @cached_property
    def ids(self) -> Sequence[str]:
        return tuple(map(str, range(len(self))))

    @cached_property
    def digest(self) -> str:
        state = blake2b(f"{self._images.dtype}{tuple(self._images.shape)}{self._labels}".encode(), digest_size=16)
        for start in range(0, len(self), PORTION):
            state.update(array_bytes(self._images[start : start + PORTION, ...]))
        return state.hexdigest()

    def check(self, model: Model) -> None:
        super().check(model)
        xp, (low, _) = namespace(self._images), model.input.bounds or (0.0, 1.0)
        low = low if "float" in str(self._images.dtype) else 0
        image_batch(xp.full((1, *self._images.shape[1:]), low, dtype=self._images.dtype), model)

    def read(self, start: int, stop: int, model: Model) -> Samples:
        indices, parts, failures = [], [], []
        for index in range(start, stop):
            try:
                parts.append(image_batch(self._images[index : index + 1, ...], model))
                indices.append(index)
            except ImageError as error:
                failures.append(Failure(index, self.ids[index], str(error)))
        return Samples(
            tuple(indices),
            tuple(self.ids[index] for index in indices),
            self._images[start:stop, ...] if self._fits(model) and len(parts) == stop - start else _joined(parts),
            tuple(self._record(index) for index in indices),
            tuple(failures),
        )

    def _fits(self, model: Model) -> bool:
        """Whether they are as the model takes them."""
        return model.input.takes_shape(self._images.shape) and self._images.dtype == namespace(self._images).float32

    def _record(self, index: int) -> Mapping[str, Any]:
        return {} if self._labels is None else {"label": self._labels[index]}


def _joined(parts: Sequence[Array]) -> Array:
    """Batches as one; None for none."""
    return namespace(*parts).concat(list(parts), axis=0) if parts else None
