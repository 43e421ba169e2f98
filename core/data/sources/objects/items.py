"""Items of data sets that others wrote: an image alone, with its label, or both in a mapping."""

import pickle
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

from PIL import Image

from ....arrays import Array, as_numpy
from ....errors import ImageError, ParameterError
from ....image.fitting import check_fitting
from ....image.io import load_image
from ....input.as_array import as_array
from ....input.unit import WHITE, type_name
from ....model.base import Model
from ..array_source import DARK, fitted_array
from ..contents import content_digest, is_array
from ..encoded_rows import LABELS, PICTURES, label_names
from ..one_by_one import OneByOne
from ..records import label_record

__all__ = ["Item", "Items", "image_and_label"]

Item = tuple[Any, Any]
"""An image, and its label or None."""
COMPARED = 3
"""Images that are read twice before any work, to see whether they stay the same."""
KEYS = (*PICTURES, "images", "pixel_values", "x", "input", "inputs")


def image_and_label(item: Any) -> Item:
    """What an item of a data set holds: an image, (image, label, ...), or a mapping with such names.

    Raises:
        ImageError: there is no image in it, or nobody can tell which it is.
    """
    if isinstance(item, Mapping):
        images = [key for key, value in item.items() if _is_image(value)]
        named = [key for key in KEYS if key in images]
        if len(images) != 1 and not named:
            raise ImageError(
                f"the item has {', '.join(map(str, item)) or 'nothing'}, and no image that is called image"
            )
        label = next((item[key] for key in LABELS if key in item), None)
        return item[named[0] if named else images[0]], label
    if isinstance(item, tuple | list) and item:
        item, label = item[0], item[1] if len(item) > 1 else None
    else:
        label = None
    if not _is_image(item):
        raise ImageError(
            f"the item is a {type(item).__name__}, not an image: give an array, a tensor or one of Pillow's"
        )
    return item, label


def _is_image(value: Any) -> bool:
    return isinstance(value, Image.Image) or (is_array(value) and len(value.shape) >= 2)


class Items(OneByOne):
    """A data set of another's, item by item: arrays and tensors at their own size, where the model takes it.

    Pillow's images are resized as `crosslens.load_image` does. Whatever an item raises is the reason of a failure. The
    digest reads all items once.
    """

    def __init__(self, items: Any, *, resize: str | None = None, crop: float | None = None) -> None:
        self._items = items
        self._resize, self._crop = resize, crop
        self.made_by: tuple[Any, ...] | None = None
        """A function and what it is called with, which make this source again in another process."""
        self._last: tuple[int, Item] | None = None
        if resize is not None or crop is not None:
            check_fitting(resize or "short", crop)
            if not isinstance(self._item(0)[0], Image.Image):
                raise ImageError("resize and crop are for pictures; arrays have their pixels already")

    def __reduce__(self) -> tuple[Any, ...]:
        if self.made_by is not None:
            return self.made_by[0], self.made_by[1:]
        try:
            pickle.dumps(self._items)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ParameterError(
                f"{self} cannot be sent to another process ({reason}): write a function of a module that returns it, "
                "and give its name, crosslens.data('module:function')"
            ) from error
        return _again, (type(self), self._items, self._resize, self._crop, self.__dict__.get("digest"))

    @abstractmethod
    def _read_item(self, index: int) -> Any:
        """Item `index` as the data set gives it; raises whatever it raises."""

    def _item(self, index: int) -> Item:
        if self._last is None or self._last[0] != index:
            self._last = None
            try:
                item = self._read_item(index)
            except ImageError:
                raise
            except Exception as error:
                reason = " ".join(str(error).split())
                raise ImageError(f"its data set raised {type(error).__name__}: {reason}") from error
            self._last = index, image_and_label(item)
        return self._last[1]

    @property
    def _classes(self) -> Sequence[str] | None:
        """The names of the classes, where the data set has such."""
        return None

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a {type(self._items).__name__}: {len(self)} images>"

    @cached_property
    def ids(self) -> Sequence[str]:
        return tuple(map(str, range(len(self))))

    @cached_property
    def digest(self) -> str:
        state = blake2b(f"{self._resize} {self._crop}\0".encode(), digest_size=16)
        for index in range(len(self)):
            try:
                state.update(
                    f"{self._record(index)}\0".encode(errors="surrogateescape") + content_digest(self._item(index)[0])
                )
            except ImageError as error:
                state.update(f"{error}\0".encode(errors="surrogateescape"))
        return state.hexdigest()

    def _keeps_sizes(self) -> bool:
        return True

    def check(self, model: Model) -> None:
        super().check(model)
        self._refuse_changing_items()
        self._refuse_another_white()
        try:
            self._refuse_if_most_are_bad(model)
        except ImageError as error:
            advice = "; the data set's transform must not normalise" if "normalisation" in str(error) else ""
            raise ImageError(f"{error}{advice}") from error

    def _refuse_changing_items(self) -> None:
        """Refuse a data set whose items are others each time: random transforms, shuffling."""
        contents = []
        for _ in range(2):
            self._forget()
            contents.append([self._known_content(index) for index in range(min(COMPARED, len(self)))])
        if contents[0] != contents[1]:
            raise ImageError(
                f"the first images of {self} are others each time they are read: leave random transforms and shuffling "
                "out, so that the same data gives the same result"
            )

    def _known_content(self, index: int) -> bytes:
        try:
            return content_digest(self._item(index)[0])
        except ImageError:
            return b""

    def _forget(self) -> None:
        self._last = None

    def _refuse_another_white(self) -> None:
        """Refuse whole numbers of which those that were tried are all nearly black: another white is meant."""
        largest = dict[str, int]()
        for index in self._probed():
            try:
                image, _ = self._item(index)
            except ImageError:
                continue
            if is_array(image) and (name := type_name(as_array(image))) in DARK and 0 not in image.shape:
                largest[name] = max(largest.get(name, 0), int(as_numpy(as_array(image)).max()))
        for name, most in largest.items():
            if 0 < most <= DARK[name]:
                raise ImageError(f"{self} holds {name} numbers up to {most}, and {WHITE[name]} is white in this type")

    def _image(self, index: int, model: Model) -> Array:
        image, _ = self._item(index)
        if isinstance(image, Image.Image):
            return load_image(image, like=model, resize=self._resize, crop=self._crop)
        array = as_array(image)
        batch = fitted_array(array[(None,) * max(1, 4 - array.ndim) + (...,)], model)
        if batch.shape[0] != 1:
            raise ImageError(
                f"it holds {batch.shape[0]} images, {tuple(image.shape)}: items are single images, not batches"
            )
        return batch

    def _record(self, index: int) -> Mapping[str, Any]:
        label = self._item(index)[1]
        if label is None or isinstance(label, Mapping | list | tuple):
            return {}
        try:
            label = label.item() if is_array(label) and not isinstance(label, bytes) else label
            return label_record([label_names(label, self._classes)], 0)
        except (ParameterError, ValueError, RuntimeError, TypeError):
            return {}


def _again(kind: type[Items], items: Any, resize: str | None, crop: float | None, digest: str | None) -> Items:
    source = kind(items, resize=resize, crop=crop)
    if digest is not None:
        source.__dict__["digest"] = digest
    return source
