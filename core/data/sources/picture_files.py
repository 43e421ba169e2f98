"""Pictures in files: what a list of files, a pattern and a folder have in common."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...image.fitting import check_fitting
from ...image.io import load_image
from ...model.base import Model
from ...result.display import counted
from .one_by_one import OneByOne
from .records import different, label_record, labels_as_text

__all__ = ["SUFFIXES", "PictureFiles", "Pictures"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""The endings of file names that count as pictures in a folder."""


class Pictures(OneByOne):
    """Pictures that are decoded, resized and cropped as `crosslens.load_image` does with this `resize` and `crop`."""

    def __init__(self, resize: str | None = None, crop: float | None = None) -> None:
        self.resize, self.crop = resize or "short", crop
        check_fitting(self.resize, crop)

    def check(self, model: Model) -> None:
        super().check(model)
        if model.input.is_volume:
            raise ImageError(
                f"{self} holds pictures (C, H, W), and this model takes volumes {model.input.shape}: give an array "
                "(N, C, D, H, W)"
            )

    def _keeps_sizes(self) -> bool:
        return self.resize == "none"

    def _fitted(self, picture: Any, model: Model) -> Any:
        """What `load_image` makes of a file, of one of Pillow's images or of an array."""
        return load_image(picture, like=model, resize=self.resize, crop=self.crop)

    @cached_property
    def digest(self) -> str:
        """A hash of ids, labels, contents, and how pictures are resized and cropped: each content is read once."""
        state = blake2b(f"{self.resize} {self.crop}\0".encode(), digest_size=16)
        for index, name in enumerate(self.ids):
            state.update(f"{name}\0{self._digested_label(index)}".encode(errors="surrogateescape"))
            state.update(self._content_digest(index))
        return state.hexdigest()

    def _digested_label(self, index: int) -> str:
        """Its record as part of the digest; nothing where the id says it all."""
        record = self._record(index)
        return f"{sorted(record.items())}\0" if record else ""

    def _content_digest(self, index: int) -> bytes:
        """16 bytes of one picture's content; none for one that cannot be read, which `read` lists as a failure."""
        raise NotImplementedError


class PictureFiles(Pictures):
    """Files, in the order given; each is its own id. A label for each, if there are such, is its record's "label"."""

    def __init__(
        self,
        files: Iterable[str | os.PathLike[str]],
        labels: Sequence[Any] | None = None,
        *,
        resize: str | None = None,
        crop: float | None = None,
        folder: str | Path = "",
    ) -> None:
        super().__init__(resize, crop)
        files = tuple(files)
        self._ids = different(os.fspath(each) for each in files)
        self._labels = labels_as_text(labels, len(self._ids))
        self._files = tuple(os.fspath(each) for each in files)
        self._folder = os.path.abspath(folder)
        """Absolute: a worker may run in another folder."""

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<PictureFiles: {counted(len(self), 'picture')}, '{self._ids[0]}' the first>"

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    def _path(self, index: int) -> Path:
        return Path(self._folder, self._files[index])

    def _image(self, index: int, model: Model) -> Any:
        return self._fitted(self._path(index), model)

    def _record(self, index: int) -> Mapping[str, Any]:
        return label_record(self._labels, index)

    @property
    def known_labels(self) -> Sequence[str]:
        return tuple(str(self._record(index).get("label", "")) for index in range(len(self)))

    def _content_digest(self, index: int) -> bytes:
        content = blake2b(digest_size=16)
        try:
            if not self._path(index).is_file():
                return b""
            with self._path(index).open("rb") as file:
                while part := file.read(1 << 20):
                    content.update(part)
        except OSError:
            return b""
        return content.digest()
