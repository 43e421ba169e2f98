"""Pictures in a folder and its sub-folders; the first sub-folder on a picture's path is its label."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image.fitting import check_fitting
from ..image.io import load_image
from ..model.base import Model
from .source import Failure, Samples, Source

__all__ = ["SUFFIXES", "PictureFolder"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""The endings of file names that count as pictures in a folder."""


class PictureFolder(Source):
    """The pictures of a folder, sub-folders included, sorted by path. Files and folders named .something are left out.

    An id is the path inside the folder, "cat/1.jpg"; its record is {"label": "cat"}, or {} directly in the folder.
    Pictures are resized and cropped as `crosslens.load_image` does with the same `resize` and `crop`.
    """

    def __init__(self, folder: str | Path, *, resize: str | None = None, crop: float | None = None) -> None:
        self.folder = Path(folder)
        self.resize, self.crop = resize or "short", crop
        check_fitting(self.resize, crop)
        if not self.folder.is_dir():
            state = "is a file" if self.folder.exists() else "does not exist"
            raise ImageError(f"'{folder}' {state}; a source of pictures is a folder: give the one that they are in")
        self._ids = tuple(sorted(self._pictures()))
        if not self._ids:
            raise ImageError(
                f"the folder '{folder}' and its sub-folders hold no picture; files that end in "
                f"{', '.join(sorted(SUFFIXES))} count"
            )

    def _pictures(self) -> list[str]:
        """The paths of the pictures inside the folder, with forward slashes."""
        paths = []
        for place, folders, files in os.walk(self.folder, followlinks=True, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = Path(place).relative_to(self.folder)
            paths += [inside / name for name in files if not name.startswith(".")]
        return [path.as_posix() for path in paths if path.suffix.lower() in SUFFIXES]

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<PictureFolder '{self.folder}': {len(self)} pictures>"

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    @cached_property
    def digest(self) -> str:
        """A hash of all paths, all files' bytes and how pictures are resized and cropped: each file is read once."""
        state = blake2b(f"{self.resize} {self.crop}\0".encode(), digest_size=16)
        for name in self._ids:
            state.update(f"{name}\0".encode())
            state.update(self._content_digest(name))
        return state.hexdigest()

    def _content_digest(self, name: str) -> bytes:
        """Of one file's bytes; empty for one that cannot be read, which `read` lists as a failure."""
        content = blake2b(digest_size=16)
        try:
            with (self.folder / name).open("rb") as file:
                while part := file.read(1 << 20):
                    content.update(part)
        except OSError:
            return b""
        return content.digest()

    def check(self, model: Model) -> None:
        super().check(model)
        if model.input.is_volume:
            raise ImageError(
                f"'{self.folder}' holds pictures (C, H, W), and this model takes volumes {model.input.shape}: give an "
                "array (N, C, D, H, W)"
            )

    def read(self, start: int, stop: int, model: Model) -> Samples:
        indices, images, failures = [], [], []
        for index in range(start, stop):
            try:
                images.append(self._picture(index, model))
                indices.append(index)
            except ImageError as error:
                failures.append(Failure(index, self._ids[index], str(error)))
        return Samples(
            tuple(indices),
            tuple(self._ids[index] for index in indices),
            np.concatenate(images) if images else None,
            tuple(self._record(index) for index in indices),
            tuple(failures),
        )

    def _picture(self, index: int, model: Model) -> Any:
        return load_image(self.folder / self._ids[index], like=model, resize=self.resize, crop=self.crop)

    def _record(self, index: int) -> Mapping[str, Any]:
        label, slash, _ = self._ids[index].partition("/")
        return {"label": label} if slash else {}


def _refuse(error: OSError) -> None:
    """A sub-folder that cannot be listed: without it the source would be another one, in silence."""
    raise ImageError(f"cannot read the folder '{error.filename}': {error.strerror}") from error
