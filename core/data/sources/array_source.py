"""Images that are in memory, or in a memory-mapped file, as one array."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

from ...arrays import Array, array_bytes, as_numpy, namespace
from ...errors import ImageError
from ...image.batch import image_batch, whole_number_batch
from ...image.io import load_image
from ...input.unit import WHITE, type_name
from ...model.base import Model
from ..source import Samples
from .one_by_one import OneByOne
from .records import label_record, labels_as_text

__all__ = ["DARK", "ArraySource", "fitted_array"]

PORTION = 256
"""Images that the digest reads at once."""
DARK = {"uint8": 1, "uint16": 255}
"""Whole numbers of these types up to these, in all images, do not mean what white is in their type."""
COLOURS = 4
"""No more than this many of anything may be channels."""


class ArraySource(OneByOne):
    """Images (N, C, H, W), or volumes (N, C, D, H, W), float32 in the model's bounds; ids are "0", "1", ...

    Arrays with the channels last and of other types, uint8 for example, are converted as a method does; grey pictures
    (N, H, W) get their axis of channels where N is no number of channels. Images of another size than the model's are
    resized, and grey ones become colours, as `crosslens.load_image(images, like=model)` does. An image that holds NaN
    or values outside the bounds is a failure; the others are used. Labels, if there are such, one for each image.
    """

    def __init__(self, images: Array, labels: Any = None) -> None:
        images = _with_channel_axis(images)
        if getattr(images, "ndim", 0) not in {4, 5} or not images.shape[0]:
            shape = f"an array of shape {tuple(images.shape)}" if hasattr(images, "shape") else type(images).__name__
            raise ImageError(f"a source is made of images (N, C, H, W), at least one; this is {shape}")
        self._images = images
        self._labels = labels_as_text(labels, len(self))

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def __repr__(self) -> str:
        return f"<ArraySource: images {tuple(self._images.shape)}>"

    @cached_property
    def ids(self) -> Sequence[str]:
        return tuple(map(str, range(len(self))))

    @property
    def known_labels(self) -> Sequence[str]:
        return self._labels or ("",) * len(self)

    @cached_property
    def digest(self) -> str:
        state = blake2b(f"{self._images.dtype}{tuple(self._images.shape)}{self._labels}".encode(), digest_size=16)
        for start in range(0, len(self), PORTION):
            state.update(array_bytes(self._images[start : start + PORTION, ...]))
        return state.hexdigest()

    def check(self, model: Model) -> None:
        super().check(model)
        spec, images = model.input, self._images
        if type_name(images) in WHITE:
            self._refuse_another_white(model)
            self._image(0, model)
        elif "float" not in type_name(images):
            image_batch(images[:1, ...], model)
        else:
            probe = namespace(images).full((1, *images.shape[1:]), (spec.bounds or (0.0, 1.0))[0], dtype=images.dtype)
            fitted_array(probe, model)
            self._refuse_if_most_are_bad(model)

    def _refuse_another_white(self, model: Model) -> None:
        """Refuse 8 bits that hold only 0 and 1 and 16 bits that hold no more than 255, over all images.

        Raises:
            ImageError: with what to write instead.
        """
        name, largest = type_name(self._images), 0
        for start in range(0, len(self), PORTION):
            largest = max(largest, int(as_numpy(self._images[start : start + PORTION, ...]).max()))
            if largest > DARK.get(name, 0):
                return
        if largest:
            meant = 1 if name == "uint8" else 255
            raise ImageError(
                f"{self} holds {name} numbers up to {largest}, and {WHITE[name]} is white in this type: give "
                f"images / {meant} as float32 if {meant} is white"
            )

    def read(self, start: int, stop: int, model: Model) -> Samples:
        try:
            images = self._batch(start, stop, model)
        except ImageError:
            return super().read(start, stop, model)
        indices = tuple(range(start, stop))
        return Samples(indices, tuple(self.ids[start:stop]), images, tuple(self._record(index) for index in indices))

    def _batch(self, start: int, stop: int, model: Model) -> Array:
        """Images that have the model's size at once; what it refuses is read one by one."""
        images = self._images[start:stop, ...]
        return whole_number_batch(images, model) if type_name(images) in WHITE else image_batch(images, model)

    def _image(self, index: int, model: Model) -> Array:
        return fitted_array(self._images[index : index + 1, ...], model)

    def _record(self, index: int) -> Mapping[str, Any]:
        return label_record(self._labels, index)


def fitted_array(image: Array, model: Model) -> Array:
    """An array as a batch of one: as a method converts it where its size is right, else as `load_image` loads arrays.

    Raises:
        ImageError: with every step that is needed, as code to paste.
    """
    spec = model.input
    if not spec.is_volume and len(spec.wanted.layouts(tuple(image.shape))) != 1:
        return load_image(image, like=model)
    return whole_number_batch(image, model) if type_name(image) in WHITE else image_batch(image, model)


def _with_channel_axis(images: Any) -> Any:
    """Grey pictures (N, H, W) as (N, 1, H, W); others as they are: (3, H, W) may be one picture."""
    if getattr(images, "ndim", 0) == 3 and images.shape[0] > COLOURS and images.shape[2] > COLOURS:
        return images[:, None, ...]
    return images
