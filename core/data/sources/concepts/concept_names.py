"""The names of the numbers in masks: concepts.json or concepts.csv, and numbers as those of the concepts."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import ImageError
from ....limits.memory import check_memory
from ....limits.regular_file import check_regular_file
from ....metadata.preprocess_json import MOST_BYTES
from ....reading.text_file import parse_json, read_text
from ...concepts import Concepts
from .label_maps import Numbers

__all__ = ["ANY", "Names", "Numbering", "csv_rows", "names_by_number", "names_in_folder"]

Names = Mapping[str, Mapping[int, str]]
"""By category the names of the numbers in its masks."""
ANY = "concept"
"""The category of masks that have none."""


_OF_CSV = 20
"""Bytes of memory for each of a CSV file's."""


class Numbering:
    """The numbers in the masks of each category, and those of the concepts."""

    def __init__(self, names: Names) -> None:
        self.concepts = Concepts.of({category: each.values() for category, each in names.items()})
        self._tables = {category: self._table(category, each) for category, each in names.items()}

    def _table(self, category: str, names: Mapping[int, str]) -> Numbers:
        """The concept's number by the mask's; -1 where it has no name, 0 for 0."""
        table = np.full(max(names) + 2, -1, np.int32)
        table[0] = 0
        table[list(names)] = self.concepts.numbers(category)
        return table

    def of(self, category: str, numbers: Numbers, what: str, void: int | None = None) -> Numbers:
        """A mask (h, w) of the category's own numbers as one of concept numbers.

        Args:
            category: of the mask.
            numbers: what it holds; 0 is unlabelled where it has no name.
            what: the mask, for errors.
            void: a number that is unlabelled, too, where it has no name.

        Raises:
            ImageError: a number has no name.
        """
        table = self._tables[category]
        labels: Numbers = table[np.clip(numbers, -1, len(table) - 1)]  # the last one is for all numbers that are larger
        if (unnamed := labels < 0).any():
            if void is not None:
                labels[unnamed & (numbers == void)] = 0
            wrong = sorted({int(n) for n in numbers[labels < 0]})
            if wrong:
                raise ImageError(
                    f"{what} holds the number{'s' * (len(wrong) > 1)} {', '.join(map(str, wrong[:5]))} without a name: "
                    f"the concepts of {category!r} have names up to {len(table) - 2}; 0 is unlabelled"
                )
        return labels


def names_by_number(names: Any, where: str) -> Mapping[int, str]:
    """The names of a category: by number, or in a list from 1 on.

    Raises:
        ImageError: it is something else.
    """
    try:
        pairs = names.items() if isinstance(names, Mapping) else enumerate(names, 1)
        found = {int(number): str(name) for number, name in pairs if not isinstance(names, str)}
    except (TypeError, ValueError) as error:
        raise ImageError(f"{where} does not name numbers: {error}; {_RIGHT}") from error
    if not found or min(found) < 0:
        raise ImageError(f"{where} names no numbers from 1 on; {_RIGHT}")
    if max(found) > _LARGEST:
        raise ImageError(f"{where} names the number {max(found)}, and masks hold numbers up to {_LARGEST}; {_RIGHT}")
    return found


_LARGEST = (1 << 24) - 1
"""Number in a mask: what three channels of 8 bits hold."""
_RIGHT = 'right is {"shape": {"1": "disc", "2": "square"}, "colour": ["red", "green"]}, lists from number 1 on'


def names_in_folder(folder: Path) -> Names:
    """What concepts.json or concepts.csv in a folder says; nothing where there is neither.

    The first is {CATEGORY: {NUMBER: NAME}} or {CATEGORY: [NAME of 1, ...]}, or of one category {NUMBER: NAME}; the
    second has the columns category, number, name.

    Raises:
        ImageError: it is another text.
    """
    path = folder / "concepts.json"
    if path.exists():
        return _of_json(path)
    path = folder / "concepts.csv"
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = {}
    for row in csv_rows(path, ("number", "name")):
        found.setdefault(row.get("category") or ANY, {})[row["number"]] = row["name"]
    return {category: names_by_number(each, f"'{path}', {category!r},") for category, each in found.items()}


def _of_json(path: Path) -> Names:
    try:
        content = parse_json(read_text(path, ImageError, "file of names", MOST_BYTES))
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"'{path}' is not JSON that can be read ({error}); {_RIGHT}") from error
    if not isinstance(content, Mapping) or not content:
        raise ImageError(f"'{path}' names no concepts; {_RIGHT}")
    if all(isinstance(each, str) for each in content.values()):
        content = {ANY: content}
    return {str(key): names_by_number(each, f"'{path}', {key!r},") for key, each in content.items()}


def csv_rows(path: Path, columns: Iterable[str]) -> Sequence[Mapping[str, str]]:
    """The rows of a CSV file whose first line names the columns.

    Raises:
        ImageError: it cannot be read, or has other columns.
    """
    check_memory(_OF_CSV * check_regular_file(path, ImageError, "CSV file"), f"'{path}'", "give a smaller CSV file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
            held = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImageError(f"'{path}' is not a CSV file that can be read ({error})") from error
    if missing := [name for name in columns if name not in held]:
        raise ImageError(
            f"'{path}' has no column {missing[0]!r}: its first line names {', '.join(held) or 'nothing'}, and "
            f"{', '.join(columns)} are needed"
        )
    return rows
