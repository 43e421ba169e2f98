"""Arrays in files, .npy and .npz: memory-mapped where the file allows it, images and labels found by their names."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...limits.regular_file import check_regular_file
from ...reading.array_file import map_npy, map_stored, read_npz, read_npz_headers
from .array_source import ArraySource
from .records import are_labels
from .unchanged import OfFiles

__all__ = ["ArrayFile", "Opened", "open_npy", "open_npz"]

Values = np.ndarray[Any, Any]
Opened = tuple[Values, Sequence[Any] | Values | None, tuple[str, ...]]
"""Images (N, ...), a label for each if there are such, and notes."""

_IMAGES = ("images", "image", "x", "X", "data", "arr_0")
_LABELS = {"images": "labels", "image": "label", "x": "y", "X": "Y", "inputs": "targets", "data": "labels"}
"""What the labels of arrays of these names are called; the words may be parts of a name, x_train and y_train."""


class ArrayFile(OfFiles, ArraySource):
    """Images in a file, pickled by its path."""

    def __init__(self, opener: Callable[..., Opened], path: Path, *args: Any) -> None:
        self._made_by = (opener, Path(path).absolute(), *args)
        self.path = Path(path)
        self._remember_files([Path(path).absolute()])
        images, labels, self._notes = opener(path, *args)
        try:
            super().__init__(images, labels)
        except ImageError as error:
            raise ImageError(f"'{path}': {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            ArrayFile,
            self._made_by,
            {name: vars(self)[name] for name in ("_states", "digest") if name in vars(self)},
        )

    def __repr__(self) -> str:
        return f"<ArrayFile '{self.path}': images {tuple(self._images.shape)}>"

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes


def open_npy(path: Path) -> Opened:
    """A `.npy` file, memory-mapped.

    Raises:
        ImageError: it is damaged, or holds Python objects.
    """
    check_regular_file(path, ImageError, "array file")
    try:
        return _as_images(map_npy(path)), None, ()
    except ValueError as error:
        raise _damaged(path, error) from error


def open_npz(path: Path, key: str = "") -> Opened:
    """An `.npz` file: the array of images, memory-mapped where it was saved uncompressed, and its labels.

    Args:
        path: the file.
        key: the name of the array of images; if not given, it is the only array of three or more axes, or the one that
            is called images, image, x, data or arr_0. Labels are called as it is, with labels for images, y for x.

    Raises:
        ImageError: it is damaged, or nobody can tell which array holds the images: all names are listed.
    """
    check_regular_file(path, ImageError, "array file")
    try:
        shapes = {name: header.shape for name, header in read_npz_headers(path).items()}
        key = _images_key(path, key, shapes)
        images, notes = _images(path, key)
        labels_key = _labels_key(key, shapes)
        labels = None if labels_key is None else read_npz(path, [labels_key])[labels_key]
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise _damaged(path, error) from error
    if labels is not None and not are_labels(labels):
        notes += (f"the labels '{labels_key}' of '{path}' have shape {labels.shape}, not one for each image: left out",)
        labels = None
    return _as_images(images), labels, notes


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(f"'{path}' is not an array file whose numbers NumPy can read ({error})")


def _as_images(values: Values) -> Values:
    """With an axis of channels where there is none: a file holds many images, never one in colours (C, H, W)."""
    return values[:, None] if values.ndim == 3 else values


def _images(path: Path, name: str) -> tuple[Values, tuple[str, ...]]:
    """An array of the archive, and a note where it had to be read into memory."""
    if (mapped := map_stored(path, name)) is not None:
        return mapped, ()
    note = f"'{path}' is compressed, so that it is held in memory; numpy.savez saves it to be read in parts"
    return read_npz(path, [name])[name], (note,)


def _images_key(path: Path, key: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    held = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    if key:
        if key not in shapes:
            raise ImageError(f"'{path}' has no array {key!r}; it holds {held or 'nothing'}")
        return key
    large = [name for name, shape in shapes.items() if len(shape) >= 3]
    named = [name for name in _IMAGES if name in large]
    if "record" in shapes and large and not named:
        raise ImageError(
            f"'{path}' is a saved result and no data: give the images that it was made from, or one of its arrays by "
            f"name, crosslens.data('{path}:{large[0]}') for example"
        )
    if len(large) == 1 or named:
        return large[0] if len(large) == 1 else named[0]
    if not large:
        raise ImageError(f"'{path}' holds no images, (N, H, W) or (N, C, H, W), but {held or 'nothing'}")
    raise ImageError(
        f"'{path}' holds several arrays of images: {held}; say which, crosslens.data('{path}:{large[0]}') for example"
    )


def _labels_key(key: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The name of the labels of the images that are called so."""
    words = re.split(r"([^A-Za-z]+)", key)
    for place, word in enumerate(words):
        for name in (_LABELS.get(word), "label", "labels", "targets"):
            guess = "".join([*words[:place], name or "", *words[place + 1 :]])
            if name and guess in shapes and shapes[guess][:1] == shapes[key][:1]:
                return guess
    plain = [name for name in ("labels", "label", "y", "targets") if shapes.get(name, ())[:1] == shapes[key][:1]]
    return plain[0] if plain else None
