"""Which files crosslens wrote: by the mark that it leaves in a file, so that those of the user are not replaced.

| file | mark |
|--|--|
| .png | a tEXt chunk, Software: crosslens |
| .jpg, .gif | a comment, crosslens |
| .webp | the Software entry of its EXIF data, crosslens |
| .mp4 | the comment of its metadata, crosslens |
| .svg, .html | the creator, the generator: crosslens |
| .js, .css, .txt | of a site: the call that gives a page its data, or the first line |
| .npz | a member `record.npy` that holds a JSON object |
| .parquet | an entry of the schema's metadata, made_by: crosslens |
| .json, .jsonl | the keys of a comparison, a table, the settings or the index of a run |
| .onnx, .pt2, .keras | the description of a style network, inside or in the side file |
| .csv | none: it has no place for one (`same_columns`) |
"""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

__all__ = ["MARK", "is_own_file", "same_columns"]

MARK = "crosslens"
_HEAD = 1 << 16
"""Bytes at the beginning and at the end of a file that are looked at."""
_LARGEST_JSON = 1 << 28
_KEYS = (
    {"models", "figures", "quantiles"},
    {"columns", "parameters", "provenance", "notes"},
    {"method", "parameters", "model", "target"},
)
"""Of a comparison, of a table with its provenance, of the settings of a run over pictures."""


def is_own_file(path: Path) -> bool:
    """Whether crosslens wrote a file, as its mark says; also of an empty file, in which there is nothing to lose.

    A .csv cannot be told and counts as foreign.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if not size:
        return True
    looks = _LOOKS.get(path.suffix.lower())
    return looks is not None and looks(path, size)


def same_columns(a: Path, b: Path) -> bool:
    """Whether two .csv files have the same first line: then one is the same table as the other, made again."""
    with a.open("rb") as first, b.open("rb") as second:
        return first.readline(_HEAD) == second.readline(_HEAD)


def _contains(marks: tuple[bytes, ...]) -> Callable[[Path, int], bool]:
    """A look for one of these at the beginning and at the end of a file."""

    def looks(path: Path, size: int) -> bool:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, size - _HEAD))
            tail = file.read(_HEAD)
        return any(mark in head or mark in tail for mark in marks)

    return looks


def _holds_record(path: Path, size: int) -> bool:
    """Whether it is an archive of arrays with a record, a JSON object as text of 4 bytes a letter."""
    try:
        with ZipFile(path) as archive, archive.open("record.npy") as member:
            head = member.read(1024)
    except (BadZipFile, KeyError, NotImplementedError, RuntimeError, ValueError, EOFError, OSError, zlib.error):
        return False
    return head.startswith(b"\x93NUMPY") and b"{\0\0\0" in head


def _holds_keys(path: Path, size: int) -> bool:
    if size > _LARGEST_JSON:
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and any(keys <= content.keys() for keys in _KEYS)


def _holds_lines(path: Path, size: int) -> bool:
    """Whether its first line is that of an index."""
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            first = json.loads(file.readline(_LARGEST_JSON))
        except (ValueError, RecursionError):
            return False
    return isinstance(first, dict) and {"file", "name"} <= first.keys()


def _describes_style(path: Path, size: int) -> bool:
    beside = path.with_name(f"{path.name}.crosslens.json")
    place = beside if beside.is_file() else path
    return _contains((b'"style"',))(place, place.stat().st_size)


_PICTURE = MARK.encode()
_LOOKS: dict[str, Callable[[Path, int], bool]] = {
    ".png": _contains((b"tEXtSoftware\0" + _PICTURE,)),
    ".jpg": _contains((b"\xff\xfe\0\x0b" + _PICTURE,)),
    ".jpeg": _contains((b"\xff\xfe\0\x0b" + _PICTURE,)),
    ".gif": _contains((b"\x21\xfe\x09" + _PICTURE,)),
    ".webp": _contains((_PICTURE,)),
    ".mp4": _contains((_PICTURE,)),
    ".svg": _contains((_PICTURE,)),
    ".html": _contains((b'<meta name="generator" content="crosslens">',)),
    ".js": _contains((b'crosslens.put("', b"/* crosslens ")),
    ".txt": _contains((b"explorer.js contains these packages",)),
    ".css": _contains((b"/* crosslens ",)),
    ".parquet": _contains((b"made_by",)),
    ".npz": _holds_record,
    ".json": _holds_keys,
    ".jsonl": _holds_lines,
    ".onnx": _describes_style,
    ".pt2": _describes_style,
    ".keras": _describes_style,
}
