"""Rows of tables that hold encoded pictures: which column holds them, which hold labels, and what a cell holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...reading.text_file import parse_json, read_content
from .records import as_label

__all__ = ["Columns", "label_names", "one_column", "picture_of_cell", "read_columns"]

PICTURES = ("image", "img", "picture", "jpg", "png", "webp", "bytes")
LABELS = ("label", "labels", "class", "cls", "target")
"""What the columns are usually called, where nothing else says what they hold."""


@dataclass(frozen=True)
class Columns:
    """Which column holds the pictures, and which the labels, each with the names of its classes or None."""

    picture: str
    labels: Mapping[str, Sequence[str] | None]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.picture, *self.labels

    def record(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The labels of a row: "label" of a column that is called so or alone, others by their column's name."""
        found = {column: label_names(row.get(column), names) for column, names in self.labels.items()}
        return {"label" if len(found) == 1 else column: label for column, label in found.items() if label}


def label_names(label: Any, names: Sequence[str] | None) -> str:
    """The name of a class by its number, where there are names; "" of None, NaN and, where there are names, of -1.

    That stands for no label in Hugging Face's data sets, and for an unlabelled part in torchvision's.
    """
    if names is not None and isinstance(label, int) and -1 <= label < len(names):
        return names[label] if label >= 0 else ""
    return as_label(label)


def read_columns(schema: Any, file: str) -> Columns:
    """The columns of a Parquet file: by the metadata that `datasets` writes into it, else by their names and types.

    Args:
        schema: the file's, as pyarrow has it.
        file: its name, for errors.

    Raises:
        ImageError: no column holds pictures, or nobody can tell which; all are listed.
    """
    features = _features(schema)
    pictures = [name for name, each in features.items() if each.get("_type") == "Image"]
    labels = {name: each.get("names") for name, each in features.items() if each.get("_type") == "ClassLabel"}
    if not pictures:
        pictures = [field.name for field in schema if _may_hold_pictures(field.type)]
    held = ", ".join(f"{field.name} ({field.type})" for field in schema)
    picture = one_column(pictures, f"'{file}'", held)
    if not labels:
        plain = [field.name for field in schema if field.name in LABELS and _may_be_label(field.type)]
        labels = dict.fromkeys(sorted(plain, key=LABELS.index)[:1])
    return Columns(picture, labels)


def one_column(found: Sequence[str], what: str, held: str) -> str:
    """The column of pictures: the only one, or the one that is called as such columns are.

    Raises:
        ImageError: there is none, or several.
    """
    named = [name for name in PICTURES if name in found]
    if len(found) == 1 or named:
        return found[0] if len(found) == 1 else named[0]
    if not found:
        raise ImageError(f"{what} has no column of pictures, bytes of files or {{bytes, path}}; it has {held}")
    raise ImageError(
        f"{what} has several columns of pictures, {', '.join(found)}: rename the one that is meant to image, or leave "
        "the others out"
    )


def picture_of_cell(cell: Any, folder: Path | None = None) -> bytes:
    """The bytes of a picture: those in a cell, or those of the file that it names.

    Args:
        cell: bytes, or {"bytes": ..., "path": ...}, one of which may be None.
        folder: what a path begins at, and must stay in; None for a table of the user's own, whose paths are right.

    Raises:
        ImageError: it holds neither, or the file cannot be read.
    """
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (cell, None)
    if isinstance(content, bytes):
        return content
    if not isinstance(path, str):
        raise ImageError("the row holds no picture")
    place = Path(path) if folder is None else (folder / path).resolve()
    if folder is not None and not place.is_relative_to(folder.resolve()):
        raise ImageError(f"the row names '{path}', which does not lie in the folder of its file")
    return read_content(place, ImageError, "picture")


def _features(schema: Any) -> Mapping[str, Mapping[str, Any]]:
    """What `datasets` says of the columns; nothing where it did not write the file."""
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        found = parse_json(text)["info"]["features"] if text else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: each for name, each in found.items() if isinstance(each, dict)} if isinstance(found, dict) else {}


def _may_hold_pictures(kind: Any) -> bool:
    from pyarrow import types

    binary = types.is_binary(kind) or types.is_large_binary(kind)
    return bool(binary or (types.is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}))


def _may_be_label(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind))
