"""A source whose images are read one by one, so that a bad one is a listed failure and the others are used."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ...arrays import Array, as_numpy, namespace
from ...errors import ImageError
from ...model.base import Model
from ..source import Failure, Samples, Source

__all__ = ["OneByOne", "joined_images"]

PROBED = 16
"""Images, spread over the source, that are looked at before any work where their unit is not sure."""


class OneByOne(Source):
    """Subclasses say what image `index` is, as a batch of one, and raise an `ImageError` for a bad one."""

    @abstractmethod
    def _image(self, index: int, model: Model) -> Array:
        """Image `index` as a batch of one (1, C, H, W), as the model takes it.

        Raises:
            ImageError: why it cannot be used.
        """

    def _record(self, index: int) -> Mapping[str, Any]:
        """What is known of it beside its pixels."""
        return {}

    def read(self, start: int, stop: int, model: Model) -> Samples:
        indices, images, records, failures = [], [], [], []
        for index in range(start, stop):
            try:
                image, record = self._image(index, model), self._record(index)
                self._refuse_another_shape(image, model)
            except ImageError as error:
                failures.append(Failure(index, self.ids[index], str(error)))
                continue
            indices.append(index)
            images.append(image)
            records.append(record)
        return Samples(
            tuple(indices),
            tuple(self.ids[index] for index in indices),
            joined_images(images),
            tuple(records),
            tuple(failures),
        )

    def _keeps_sizes(self) -> bool:
        """Whether images come at sizes of their own, so that they may differ."""
        return False

    def _refuse_another_shape(self, image: Array, model: Model) -> None:
        """Refuse an image whose shape is not the model's, or that of the first image where the model takes any."""
        if self._keeps_sizes() and (shape := tuple(image.shape[1:])) != self._shape(model):
            raise ImageError(f"it has shape {shape} and the others {self._shape(model)}: a data set has one size here")

    def _shape(self, model: Model) -> tuple[int, ...]:
        """(C, H, W) of the images for this model."""
        wanted = model.input.shape
        if None not in wanted:
            return tuple(int(n or 0) for n in wanted)
        known: dict[Any, tuple[int, ...]] = self.__dict__.setdefault("_shapes", {})
        if wanted not in known:
            known[wanted] = self._first_shape(model)
        return known[wanted]

    def _first_shape(self, model: Model) -> tuple[int, ...]:
        for index in range(len(self)):
            try:
                return tuple(self._image(index, model).shape[1:])
            except ImageError:
                continue
        return ()

    def _probed(self) -> Sequence[int]:
        """The indices of a few images, spread over the source."""
        return sorted({n * (len(self) - 1) // (PROBED - 1) for n in range(PROBED)})

    def _refuse_if_most_are_bad(self, model: Model) -> None:
        """Read a few images, and refuse a source of which at least half are refused: one unit is wrong for all.

        Raises:
            ImageError: the reason of the first.
        """
        probed, reasons = self._probed(), list[ImageError]()
        for index in probed:
            try:
                self._image(index, model)
            except ImageError as error:
                reasons.append(error)
        if 2 * len(reasons) >= len(probed):
            raise ImageError(
                f"{len(reasons)} of {len(probed)} images of {self} that were tried cannot be used: {reasons[0]}"
            ) from reasons[0]


def joined_images(parts: Sequence[Array]) -> Array:
    """Batches as one; None for none."""
    if not parts:
        return None
    if len({type(part) for part in parts}) > 1:
        parts = [as_numpy(part) for part in parts]
    return parts[0] if len(parts) == 1 else namespace(*parts).concat(list(parts), axis=0)
