"""The contract of a source: a finite, indexed list of images that can be read in any order, range by range."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..arrays import Array
from ..errors import ImageError
from ..model.base import Model
from ..result.display import counted, one_line

__all__ = ["Failure", "Samples", "Source"]


@dataclass(frozen=True)
class Failure:
    """An image that could not be read: which one, and why."""

    index: int
    id: str
    reason: str


@dataclass(frozen=True)
class Samples:
    """The images of an index range of a source that could be read, in order, and the failures of the others."""

    indices: tuple[int, ...]
    """Each image's place in the source: N numbers, ascending."""
    ids: tuple[str, ...]
    images: Array
    """(N, C, H, W), float32 in the model's bounds, as the model takes them; None where N is 0."""
    records: tuple[Mapping[str, Any], ...]
    """What is known of each image beside its pixels: {"label": "cat"}; empty where nothing is."""
    failures: tuple[Failure, ...] = ()

    def __repr__(self) -> str:
        shape = "" if self.images is None else str(tuple(self.images.shape))
        return one_line("Samples", [counted(len(self.indices), "image"), shape, counted(len(self.failures), "failure")])


class Source(ABC):
    """Images by index. Subclasses can be pickled: workers read their own ranges.

    Two sources with the same digest hold the same images in the same order, so that a sweep over either gives the same.
    """

    named: tuple[str, str | None, float | None] | None = None
    """The text that named it, and `resize` and `crop` of `crosslens.data`; None of what was an object of a program."""

    def __repr__(self) -> str:
        return one_line(type(self).__name__, [counted(len(self), "image")])

    @abstractmethod
    def __len__(self) -> int:
        """The number of images, those that cannot be read included."""

    @property
    @abstractmethod
    def ids(self) -> Sequence[str]:
        """A name for each image, all different, in the order of the indices."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash of all that the source holds: images, ids and records."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results must know of the data: what was left out, for example."""
        return ()

    @abstractmethod
    def read(self, start: int, stop: int, model: Model) -> Samples:
        """The images of the index range [start, stop), as this model takes them.

        Args:
            start: index of the first image.
            stop: index after the last one.
            model: decides size, number of channels and bounds, as in `crosslens.load_image(path, like=model)`.

        Returns:
            The images that could be read, and a `Failure` for each of the others: a bad image raises nothing.
        """

    @property
    def known_labels(self) -> Sequence[str] | None:
        """The label of each image, "" for none; None where it takes reading the images to know."""
        return None

    def images_only(self) -> "Source":
        """The same images without what is read beside them for a few methods only, label maps; with the same digest."""
        return self

    def check(self, model: Model) -> None:
        """Refuse a model that can take none of these images, before any work; override where there is more to refuse.

        Raises:
            ImageError: what the source holds, and what the model takes.
        """
        if not model.input.is_image:
            raise ImageError(f"{self} holds images, and this model takes {model.input.shape}, which is not an image")
