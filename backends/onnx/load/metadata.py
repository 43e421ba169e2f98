"""What an ONNX file says of its network: `metadata_props`, read and written without parsing the graph.

crosslens' own stands under the key "crosslens", as JSON. Of other tools what is unambiguous is read: ultralytics' files
(pixels in [0, 1], names of classes), and the standard's Image.BitmapPixelFormat with Image.NominalPixelRange
(https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md).
"""

import json
from ast import literal_eval
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError
from crosslens.files.whole_file import whole_file
from crosslens.metadata import Metadata, metadata_from_json
from crosslens.metadata.preprocess_json import MOST_BYTES
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, StringStringEntryProto

from .protobuf_wire import Field, encode_field, fields

__all__ = ["read_metadata", "write_metadata"]

KEY = "crosslens"
_PROPERTIES = ModelProto.DESCRIPTOR.fields_by_name["metadata_props"].number
_READ = frozenset({KEY, "author", "task", "names", "Image.BitmapPixelFormat", "Image.NominalPixelRange"})
_RANGES: Mapping[str, dict[str, Any]] = {
    "Normalized_0_1": {"scale": 1.0},
    "Normalized_1_1": {"scale": 2.0, "mean": 1.0},
    "NominalRange_0_255": {"scale": 255.0},
}
_ORDERS = {"Rgb8": "RGB", "Bgr8": "BGR", "Gray8": "L"}
"""By Image.NominalPixelRange and by Image.BitmapPixelFormat, the keywords of `Preprocess` that they mean."""


def read_metadata(network: str | Path | ModelProto) -> Metadata | None:
    """What a file or a ModelProto says of its network; None if nothing that crosslens knows.

    Raises:
        ModelError: what stands under crosslens' own key is damaged.
    """
    if isinstance(network, ModelProto):
        entries = [(entry.key, entry.value) for entry in network.metadata_props if entry.key in _READ]
        where = "the ModelProto"
    else:
        entries, where = _entries(Path(network)), f"'{network}'"
    own = [value for key, value in entries if key == KEY]
    if not own:
        return _of_other_tools(dict(entries), where)
    try:
        content = json.loads(own[0]) if len(own) == 1 else None
    except (ValueError, RecursionError):
        content = None
    return metadata_from_json(content, where)


def write_metadata(path: Path, metadata: Metadata | None) -> None:
    """Put crosslens' entry into a file, or out of it; all other bytes stay as they are, the weights' too.

    Raises:
        ModelError: the file cannot be read or written, or is not an ONNX file.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            kept = [each for each in fields(data, 0, len(data)) if _key(data, each) != KEY]
            with whole_file(path, ModelError) as temporary, temporary.open("wb") as written:
                for each in kept:
                    for start in range(each.start, each.end, _CHUNK):
                        written.write(data[start : min(start + _CHUNK, each.end)])
                if metadata is not None:
                    entry = StringStringEntryProto(key=KEY, value=metadata.to_json())
                    written.write(encode_field(_PROPERTIES, entry.SerializeToString()))
    except ModelError:
        raise
    except (DecodeError, ValueError, OSError) as error:
        raise ModelError(f"cannot write into '{path}': {error}") from error


_CHUNK = 1 << 24


def _entries(path: Path) -> list[tuple[str, str]]:
    """The entries of `metadata_props` under keys that are read; none of a file that is not an ONNX file."""
    if not path.is_file():
        return []  # a FIFO would be waited for
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return [
                (entry.key, entry.value)
                for each in fields(data, 0, len(data))
                if _key(data, each) in _READ
                for entry in _entry(data, each, path)
            ]
    except ModelError:
        raise
    except (DecodeError, ValueError, OSError):
        return []  # what is wrong with the file, loading it says


def _key(data: mmap, entry: Field) -> str | None:
    """The key of an entry of `metadata_props`; None for another field."""
    if entry.number != _PROPERTIES:
        return None
    keys = [
        data[each.content : min(each.end, each.content + 64)]
        for each in fields(data, entry.content, entry.end)
        if each.number == 1
    ]
    return keys[-1].decode("utf-8", "replace") if keys else ""


def _entry(data: mmap, entry: Field, path: Path) -> Iterator[StringStringEntryProto]:
    if entry.end - entry.content > MOST_BYTES:
        raise ModelError(f"an entry of the metadata of '{path}' is larger than {MOST_BYTES >> 20} MiB")
    yield StringStringEntryProto.FromString(data[entry.content : entry.end])


def _of_other_tools(entries: Mapping[str, str], where: str) -> Metadata | None:
    pixels, order = (
        _RANGES.get(entries.get("Image.NominalPixelRange", "")),
        _ORDERS.get(entries.get("Image.BitmapPixelFormat", "")),
    )
    if pixels and order:
        return Metadata(preprocess={**pixels, "order": order}, where=f"{where} (Image.NominalPixelRange)")
    if entries.get("author") != "Ultralytics" or "names" not in entries:
        return None
    labels = _names(entries["names"]) if entries.get("task") == "classify" else None
    return Metadata(preprocess={"scale": 1.0}, labels=labels, where=f"{where} (ultralytics' metadata)")


def _names(text: str) -> tuple[str, ...] | None:
    """The class names in ultralytics' "{0: 'tench', 1: 'goldfish'}"; None if it is anything else."""
    try:
        names = literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    numbered = isinstance(names, dict) and set(names) == set(range(len(names)))
    return tuple(str(names[n]) for n in range(len(names))) if numbered and names else None
