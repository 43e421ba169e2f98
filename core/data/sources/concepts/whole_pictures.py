"""Concepts of whole pictures: a scene, the class that a sub-folder is, read from labels.csv and from paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ....errors import ImageError
from .concept_names import Names, csv_rows

__all__ = ["CLASS", "WholePictures", "whole_pictures"]

CLASS = "class"
"""The category of what sub-folders are."""


@dataclass(frozen=True)
class WholePictures:
    """What is known of each picture as a whole."""

    labels: Sequence[str | None]
    """The class of each, for the record; None where the picture's own source says it."""
    of: Sequence[Sequence[tuple[str, str]]]
    """(category, name) of each picture's concepts."""

    @property
    def names(self) -> Names:
        """The concepts, by category, in alphabetical order."""
        found: dict[str, set[str]] = {}
        for each in self.of:
            for category, name in each:
                found.setdefault(category, set()).add(name)
        return {category: dict(enumerate(sorted(each), 1)) for category, each in found.items()}


def whole_pictures(folder: Path, ids: Sequence[str]) -> WholePictures:
    """What labels.csv says, if there is one, and the first sub-folder on each picture's path.

    The file's columns are image, a path inside images/ with or without its ending; label, the class; and any others,
    categories of which each names a concept of the whole picture. An empty cell says nothing.

    Raises:
        ImageError: the file has no column image, or names pictures none of which is there.
    """
    rows = _rows(folder / "labels.csv", ids)
    labels, concepts = [], []
    for name in ids:
        row = rows.get(name, {})
        labels.append(row.get("label") or None)
        found = [(key, value) for key, value in row.items() if key not in {"image", "label"} and value]
        kind, slash, _ = name.partition("/")
        concepts.append(([(CLASS, kind)] if slash else []) + found)
    return WholePictures(tuple(labels), tuple(map(tuple, concepts)))


def _rows(path: Path, ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """The rows by the picture's id."""
    if not path.exists():
        return {}
    rows = {row["image"]: row for row in csv_rows(path, ("image",))}
    found = {name: rows.get(name) or rows.get(PurePosixPath(name).with_suffix("").as_posix()) for name in ids}
    known = {name: row for name, row in found.items() if row}
    if not known:
        raise ImageError(
            f"'{path}' names no picture of images/: its column image holds {next(iter(rows), '')!r}, and the first "
            f"picture is {ids[0]!r}"
        )
    return known
