"""`Indexed`: results by image, as a list has items: `len(result)`, `result[0]`, `result[1:3]`, `for one in result`."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

from .selection import positions

__all__ = ["Indexed"]


class Indexed:
    """What has one item for each image."""

    _item: ClassVar[str] = "image"
    """What is counted."""

    def __len__(self) -> int:
        """The number of images, rows of a table, or trials of a search."""
        whole = (getattr(self, name) for name in self._per_image())
        return next((_count(values) for values in whole if values is not None), 0)

    def __bool__(self) -> bool:
        """True, as of any object: a table without rows is a result too."""
        return True

    def __getitem__(self, index: Any) -> Self:
        """The result of some images: a number, a slice, or a list or array of numbers or booleans.

        Values keep the axis of the images: those of `result[0]` are (1, h, w). The objective is that of these images,
        and the provenance says which ones of the batch they are; notes stay those of the batch.

        Raises:
            ImageError: an image that the result does not have (an IndexError too), or another kind of index.
        """
        places = positions(index, len(self), self._item)
        return self if places == list(range(len(self))) else self._at(places)

    def __iter__(self) -> Iterator[Self]:
        """The result of each image, one after the other."""
        return (self[n] for n in range(len(self)))

    def _at(self, places: Sequence[int]) -> Self:
        """The result of the items at these places."""
        raise NotImplementedError

    def _per_image(self) -> tuple[str, ...]:
        """The fields that hold one item for each image: arrays (N, ...) or tuples of N."""
        raise NotImplementedError


def _count(values: Any) -> int:
    """The number of items of an array, which in the standard has no `len`, or of a tuple."""
    return int(values.shape[0]) if hasattr(values, "shape") else len(values)
