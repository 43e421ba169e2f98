"""Folders like ADE20K's scene parsing set (Zhou et al. 2017, http://sceneparsing.csail.mit.edu).

images/training/NAME.jpg, annotations/training/NAME.png with numbers from 1 on, 0 for the rest, and objectInfo150.txt, a
table with tabs whose columns Idx and Name name the numbers; validation/ beside training/, or no such folders.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ....errors import ImageError
from ..picture_files import SUFFIXES, PictureFiles
from ..picture_folder import files_inside
from .concept_names import Numbering
from .concept_source import ConceptSource
from .label_maps import LabelMaps, Numbers, Size
from .mask_files import MASKS, mask_digest, numbers_of, read_mask

__all__ = ["ade_source", "is_ade"]

CATEGORY = "object"
_PICTURES, _MASKS, _NAMES = "images", "annotations", "objectInfo150.txt"


class AdeMaps(LabelMaps):
    """The masks in annotations/."""

    def __init__(self, folder: Path, files: Sequence[str], left: int) -> None:
        self._numbering = Numbering({CATEGORY: _names(folder / _NAMES)})
        super().__init__(self._numbering.concepts)
        self._folder, self._left = folder, left
        self._files = tuple((folder / _MASKS).absolute() / each for each in files)

    @property
    def notes(self) -> tuple[str, ...]:
        text = f"{self._left} pictures in '{self._folder / _PICTURES}' have no mask in {_MASKS}: left out"
        return (text,) * bool(self._left)

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        path = self._files[index]
        return [self._numbering.of(CATEGORY, numbers_of(read_mask(path, size), path), f"'{path}'")]

    def digest(self, index: int) -> bytes:
        return mask_digest(self._files[index])


def is_ade(folder: Path) -> bool:
    """Whether it is laid out so."""
    return all((folder / name).is_dir() for name in (_PICTURES, _MASKS)) and (folder / _NAMES).is_file()


def ade_source(folder: Path, *, resize: str | None = None, crop: float | None = None) -> ConceptSource:
    """The pictures of such a folder that have a mask.

    Args:
        folder: holds images/, annotations/ and objectInfo150.txt.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: no picture has a mask, or the table names nothing.
    """
    pictures = sorted(files_inside(folder / _PICTURES, SUFFIXES))
    masks = {_stem(name): name for name in files_inside(folder / _MASKS, MASKS)}
    pairs = [(name, masks[stem]) for name in pictures if (stem := _stem(name)) in masks]
    if not pairs:
        raise ImageError(
            f"no picture in '{folder / _PICTURES}' has a mask of its name in '{folder / _MASKS}': there are "
            f"{len(pictures)} pictures and {len(masks)} masks"
        )
    source = PictureFiles([name for name, _ in pairs], folder=folder / _PICTURES, resize=resize, crop=crop)
    return ConceptSource(source, AdeMaps(folder, [mask for _, mask in pairs], len(pictures) - len(pairs)))


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _names(path: Path) -> Mapping[int, str]:
    """By number the first of its synonyms, "wall" of "wall"; two numbers of one name keep all synonyms."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, delimiter="\t")
            if missing := {"Idx", "Name"} - set(table.fieldnames or ()):
                raise KeyError(*sorted(missing))
            rows = {int(row["Idx"]): row["Name"].strip() for row in table}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ImageError(
            f"'{path}' is not a table with tabs whose first line names the columns Idx and Name ({error})"
        ) from error
    short = {number: name.split(",")[0].strip() for number, name in rows.items()}
    single = [*short.values()]
    return {number: name if single.count(name) == 1 else rows[number] for number, name in short.items()}
