"""Images in a list: files, Pillow's images or arrays, of any size, with or without labels."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from ...errors import ImageError
from ...model.base import Model
from ..source import Source
from .array_source import ArraySource
from .contents import content_digest, is_array
from .named import files_source, refuse_fitting
from .picture_files import Pictures
from .records import label_record, labels_as_text

__all__ = ["ItemList", "item_list"]


class ItemList(Pictures):
    """Pillow's images and arrays of one picture each, in memory; each as `crosslens.load_image` loads it.

    Ids are "0", "1", ...; a label for each, if there are such, is its record's "label".
    """

    def __init__(
        self,
        images: Sequence[Any],
        labels: Sequence[Any] | None = None,
        *,
        resize: str | None = None,
        crop: float | None = None,
    ) -> None:
        super().__init__(resize, crop)
        self._items = tuple(images)
        self._labels = labels_as_text(labels, len(self._items))

    def __len__(self) -> int:
        return len(self._items)

    @cached_property
    def ids(self) -> Sequence[str]:
        return tuple(map(str, range(len(self))))

    def check(self, model: Model) -> None:
        super().check(model)
        self._refuse_if_most_are_bad(model)

    def _image(self, index: int, model: Model) -> Any:
        batch = self._fitted(self._items[index], model)
        if len(batch) != 1:
            raise ImageError(f"it holds {len(batch)} pictures, {np.shape(self._items[index])}; each is one")
        return batch

    def _record(self, index: int) -> Mapping[str, Any]:
        return label_record(self._labels, index)

    @property
    def known_labels(self) -> Sequence[str]:
        return self._labels or ("",) * len(self)

    def _content_digest(self, index: int) -> bytes:
        return content_digest(self._items[index])


def item_list(images: Any, *, resize: str | None, crop: float | None) -> Source:
    """The source of a list, a tuple or a generator, which is read to its end.

    Args:
        images: files, Pillow's images or arrays; pairs of such and a label; or (images, labels), a pair of two.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: nothing, a mixture, or something else.
    """
    pair = _images_and_labels(images) if isinstance(images, tuple) else None
    items, labels = pair or (images, None)
    if (is_array(items) and items.ndim != 3) or (is_array(items) and labels is not None):
        refuse_fitting(resize, crop)
        return ArraySource(items, labels)
    items = list(items)
    if labels is None and items and all(_is_labelled(each) for each in items):
        items, labels = [each[0] for each in items], [each[1] for each in items]
    if not items:
        raise ImageError("the list holds no image")
    if all(isinstance(each, str | os.PathLike) for each in items):
        return files_source([os.fspath(each) for each in items], labels, resize=resize, crop=crop)
    for number, each in enumerate(items):
        if not isinstance(each, Image.Image) and not is_array(each):
            raise ImageError(
                f"images[{number}] is a {type(each).__name__}: a list of images holds files only, or Pillow's images "
                "and arrays only, or pairs of these and a label"
            )
    return ItemList(items, labels, resize=resize, crop=crop)


def _is_image(value: Any) -> bool:
    return isinstance(value, str | os.PathLike | Image.Image) or (is_array(value) and len(value.shape) >= 2)


def _is_labelled(item: Any) -> bool:
    """Whether an item of a list is a pair of an image and its label."""
    return isinstance(item, tuple | list) and len(item) == 2 and _is_image(item[0]) and not _is_many(item[1])


def _is_many(label: Any) -> bool:
    return isinstance(label, Image.Image) or (is_array(label) and int(np.prod(label.shape)) != 1)


def _images_and_labels(pair: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """(images, labels) where a tuple is that: many images, and one label for each; None for a tuple of images."""
    if len(pair) != 2:
        return None
    images, labels = pair
    many = (is_array(images) and len(images.shape) >= 3) or (
        isinstance(images, list | tuple) and bool(images) and all(map(_is_image, images))
    )
    plain = isinstance(labels, list | tuple) and not any(map(_is_image_only, labels))
    return pair if many and (plain or (is_array(labels) and len(labels.shape) in {1, 2})) else None


def _is_image_only(value: Any) -> bool:
    return isinstance(value, Image.Image) or (is_array(value) and int(np.prod(value.shape)) != 1)
