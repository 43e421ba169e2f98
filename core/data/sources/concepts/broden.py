"""Folders like Broden (Bau et al. 2017, http://netdissect.csail.mit.edu): index.csv, label.csv and images/.

A row of index.csv has image, split, ih, iw, sh, sw and a column for each category: names of masks in images/, or
numbers of the whole picture, with ; between them. In a mask the number is red + 256 green. label.csv names the numbers.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from ....errors import ImageError
from ....reading.array_file import one_line
from ..picture_files import PictureFiles
from .concept_names import Numbering, csv_rows
from .concept_source import ConceptSource
from .label_maps import LabelMaps, Numbers, Size
from .mask_files import numbers_of, read_mask

__all__ = ["broden_source", "is_broden"]

_KNOWN = ("image", "split", "ih", "iw", "sh", "sw")


class BrodenMaps(LabelMaps):
    """The masks and numbers of each row of index.csv."""

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
        named = _named(folder / "label.csv")
        categories = [name for name in rows[0] if name not in _KNOWN]
        names = {
            category: {n: row["name"] for n, row in named.items() if n and _is_of(row["category"], category)}
            for category in categories
        }
        self._numbering = Numbering({category: each for category, each in names.items() if each})
        super().__init__(self._numbering.concepts)
        self._images = (folder / "images").absolute()
        self._parts = tuple(
            tuple((name, part) for name in categories for part in row[name].split(";") if part) for row in rows
        )

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        return [self._plane(category, part, size) for category, part in self._parts[index]]

    def _plane(self, category: str, part: str, size: Size) -> Numbers:
        if category not in self.concepts.by_category:
            raise ImageError(f"index.csv labels it in {category!r}, and label.csv names no concept of that category")
        if part.isdecimal():
            return self._numbering.of(category, np.full(size, min(int(part), 1 << 40)), f"index.csv, {category!r},")
        path = self._images / part
        mask = read_mask(path, size)
        return self._numbering.of(category, _codes(mask, path), f"'{path}'")

    def digest(self, index: int) -> bytes:
        state = blake2b(f"{self._parts[index]}".encode(), digest_size=16)
        for _, part in self._parts[index]:
            try:
                state.update(b"" if part.isdecimal() else blake2b((self._images / part).read_bytes()).digest())
            except OSError:
                state.update(b"\0")
        return state.digest()


def _codes(mask: Image.Image, path: Path) -> Numbers:
    if mask.mode not in {"RGB", "RGBA"}:
        return numbers_of(mask, path)
    pixels = np.asarray(mask).astype(np.int64)
    return np.asarray(pixels[..., 0] + 256 * pixels[..., 1])


def _named(path: Path) -> Mapping[int, Mapping[str, str]]:
    """The rows of label.csv by their numbers."""
    try:
        return {int(row["number"]): row for row in csv_rows(path, ("number", "name", "category"))}
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"'{path}' numbers a row with a text ({one_line(error)}): write whole numbers") from error


def _is_of(held: str, category: str) -> bool:
    """Whether label.csv says that a name is one of a category: "part(12);object(3)"."""
    return category in {each.partition("(")[0].strip() for each in held.split(";")}


def is_broden(folder: Path) -> bool:
    """Whether it is laid out so."""
    return (folder / "index.csv").is_file() and (folder / "label.csv").is_file()


def broden_source(folder: Path, *, resize: str | None = None, crop: float | None = None) -> ConceptSource:
    """The pictures of index.csv that are labelled.

    Args:
        folder: holds index.csv, label.csv and images/.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: a column or everything is missing.
    """
    rows = csv_rows(folder / "index.csv", ("image",))
    labelled = [row for row in rows if any(value for name, value in row.items() if name not in _KNOWN)]
    if not labelled:
        raise ImageError(
            f"'{folder / 'index.csv'}' labels no picture: columns beside {', '.join(_KNOWN)} are categories"
        )
    source = PictureFiles([row["image"] for row in labelled], folder=folder / "images", resize=resize, crop=crop)
    return ConceptSource(source, BrodenMaps(folder, labelled))
