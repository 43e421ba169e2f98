"""`leaves` and `thumbnails_line`: "thumbnails/K" of data.ts, the sheets of a survey's folder as they are."""

from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...data.shard import SHARD, shards
from ...errors import ParameterError
from ...store.image_table import ACROSS, sheet_name
from ..book import Book
from ..data_folder import stamp_of
from ..leaf import Leaf

__all__ = ["leaves", "thumbnails_line"]


def thumbnails_line(book: Book) -> Mapping[str, int] | None:
    """The `thumbnails` of `Site`; None of a survey without a folder, and of volumes, which have none."""
    if book.survey.folder is None or "thumbnail_side" not in book.survey.images.columns:
        return None
    sides = as_numpy(book.survey.images["thumbnail_side"])
    return {"side": int(np.max(sides)), "across": ACROSS, "per_sheet": SHARD}


def leaves(book: Book) -> list[Leaf]:
    """A leaf for each sheet."""
    folder = book.survey.folder
    if folder is None or thumbnails_line(book) is None:
        return []
    paths = [folder / sheet_name(shard.number) for shard in shards(len(book.survey.images))]
    return [Leaf(f"thumbnails/{n}", _stamp(path), partial(_sheet, path), "thumbnails") for n, path in enumerate(paths)]


def _stamp(path: Path) -> str:
    """Of the file's time and size: sheets are written once, and their bytes are many."""
    try:
        known = path.stat()
    except OSError as error:
        raise ParameterError(_unreadable(path, error)) from error
    return stamp_of("thumbnails", path.name, known.st_size, known.st_mtime_ns)


def _sheet(path: Path) -> Mapping[str, Any]:
    """The `Thumbnails` of data.ts."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ParameterError(_unreadable(path, error)) from error
    return {"image": "data:image/jpeg;base64," + b64encode(content).decode()}


def _unreadable(path: Path, error: OSError) -> str:
    return f"cannot read the thumbnails '{path}' ({error.strerror}): sweep again into a new folder"
