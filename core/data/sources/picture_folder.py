"""Pictures in a folder and its sub-folders; the first sub-folder on a picture's path is its label."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...result.display import counted
from .picture_files import SUFFIXES, PictureFiles

__all__ = ["PictureFolder", "files_inside"]


class PictureFolder(PictureFiles):
    """The pictures of a folder, sub-folders included, sorted by path. Files and folders named .something are left out.

    An id is the path inside the folder, "cat/1.jpg"; its record is {"label": "cat"}, or {} directly in the folder.
    Pictures are resized and cropped as `crosslens.load_image` does with the same `resize` and `crop`.
    """

    def __init__(self, folder: str | Path, *, resize: str | None = None, crop: float | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            state = "is a file" if self.folder.exists() else "does not exist"
            raise ImageError(f"'{folder}' {state}; a source of pictures is a folder: give the one that they are in")
        super().__init__(sorted(files_inside(self.folder, SUFFIXES)), resize=resize, crop=crop, folder=self.folder)
        if not len(self):
            raise ImageError(
                f"the folder '{folder}' and its sub-folders hold no picture; files that end in "
                f"{', '.join(sorted(SUFFIXES))} count"
            )

    def __repr__(self) -> str:
        return f"<PictureFolder '{self.folder}': {counted(len(self), 'picture')}>"

    def _record(self, index: int) -> Mapping[str, Any]:
        label, slash, _ = self.ids[index].partition("/")
        return {"label": label} if slash else {}


def files_inside(folder: Path, suffixes: Collection[str]) -> list[str]:
    """The paths inside a folder of the files with one of these suffixes, with forward slashes, in no order.

    Files and folders named .something are left out.

    Raises:
        ImageError: a sub-folder cannot be listed: without it the source would be another one, in silence.
    """
    paths = []
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        paths += [inside / name for name in files if not name.startswith(".")]
    return [path.as_posix() for path in paths if path.suffix.lower() in suffixes]


def _refuse(error: OSError) -> None:
    raise ImageError(f"cannot read the folder '{error.filename}': {error.strerror}") from error
