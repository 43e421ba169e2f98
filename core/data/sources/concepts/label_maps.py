"""Label maps: what the pixels of each picture are labelled as, and how a map gets to a network's size."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ....errors import ImageError
from ....image.fitting import Fitting
from ...concepts import Concepts

__all__ = ["LabelMaps", "Numbers", "Size", "fit_planes", "in_planes", "refuse_another_size"]

Numbers = np.ndarray[Any, Any]
Size = tuple[int, int]


class LabelMaps(ABC):
    """What the pixels of each picture of a source are labelled as, by the picture's index. Can be pickled."""

    def __init__(self, concepts: Concepts) -> None:
        self.concepts = concepts

    @abstractmethod
    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        """Maps (h, w) of concept numbers, 0 for none, each of one category; none where nothing is labelled.

        Args:
            index: of the picture.
            size: (H, W) of the picture as it is stored, upright. Maps have this size, or cover it with fewer pixels.

        Raises:
            ImageError: they cannot be read, or are those of a picture of another size.
        """

    @abstractmethod
    def digest(self, index: int) -> bytes:
        """16 bytes that change with the labels of a picture; none where they cannot be read."""

    def label(self, index: int) -> str | None:
        """The class of the whole picture, where it is known."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return ()


def fit_planes(planes: Sequence[Numbers], own: Size, fitting: Fitting) -> Numbers:
    """Label maps as the picture under them was resized and cropped, (P, H, W) int32; one of zeros for none.

    A pixel has the label of the pixel under its centre, as the picture's resizing has it: centres at half-integers.
    Where the picture keeps all its pixels, maps that are smaller by a whole factor stay as they are.

    Args:
        planes: maps (h, w).
        own: (H, W) of the picture before.
        fitting: how it was resized and cropped.
    """
    if not planes:
        return np.zeros((1, *fitting.size), np.int32)
    sizes = {plane.shape for plane in planes}
    if fitting == Fitting(own, own) and len(sizes) == 1:
        ((height, width),) = sizes
        if not own[0] % height and own[0] // height * width == own[1]:
            return np.stack(planes).astype(np.int32, copy=False)
    return np.stack([_fit(plane, fitting) for plane in planes]).astype(np.int32, copy=False)


def _fit(plane: Numbers, fitting: Fitting) -> Numbers:
    rows, columns = (_under_centres(*each) for each in zip(plane.shape, fitting.resized, fitting.size, strict=True))
    labels = plane[rows[:, None], columns]
    outside = (rows < 0)[:, None] | (columns < 0)
    return np.where(outside, 0, labels) if outside.any() else labels


def _under_centres(count: int, resized: int, size: int) -> Numbers:
    """For each of `size` pixels in the middle of `resized` ones, which of `count` lies under its centre; -1 outside."""
    place = np.arange(size) + (resized - size) // 2
    return np.where((place >= 0) & (place < resized), (2 * place + 1) * count // (2 * resized), -1)


def in_planes(masks: Iterable[tuple[int, Numbers]], size: Size) -> list[Numbers]:
    """As few maps as masks that overlap allow: each mask in the first one where it hides nothing.

    Args:
        masks: concept numbers, each with its pixels, (H, W) of truth values; a number that comes again is joined.
        size: (H, W).
    """
    joined: dict[int, Numbers] = {}
    for number, mask in masks:
        joined[number] = joined[number] | mask if number in joined else mask
    planes: list[Numbers] = []
    for number, mask in joined.items():
        free = next((plane for plane in planes if not plane[mask].any()), None)
        if free is None:
            free = np.zeros(size, np.int32)
            planes.append(free)
        free[mask] = number
    return planes


def refuse_another_size(what: str, size: Size, picture: Size) -> None:
    """Refuse labels that do not cover the picture: they have its size, or one smaller by a factor, rounded.

    Raises:
        ImageError: with both sizes.
    """
    factor = max(1, round(picture[0] / size[0]))
    if any(abs(factor * n - whole) >= factor for n, whole in zip(size, picture, strict=True)):
        turned = "; it fits the picture turned: remove its EXIF flag, or turn the labels" * (size == picture[::-1])
        raise ImageError(
            f"{what} has {size[1]} x {size[0]} pixels and its picture {picture[1]} x {picture[0]}: give labels of the "
            f"picture's size, or smaller by a whole factor{turned}"
        )
