"""What a text names, on the command line for example, as a `Source`: a folder, a file, a pattern, a function."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from glob import glob, has_magic
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ..source import Source
from .array_files import ArrayFile, open_npy, open_npz
from .idx import is_idx, open_idx
from .picture_files import SUFFIXES, PictureFiles
from .picture_folder import PictureFolder

__all__ = ["files_source", "named_source"]

KINDS = (
    "a folder of pictures, .npy, .npz, an IDX file (.gz), .tar, .parquet or a folder of these, a pattern, or "
    "package.module:function"
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def named_source(text: str, data: Callable[..., Source], *, resize: str | None, crop: float | None) -> Source:
    """The source of a text.

    Args:
        text: a folder of pictures, classes as sub-folders; a file: .npy, .npz (FILE.npz:NAME says which array), IDX,
            .tar in the layout of webdataset, .parquet; a folder of .tar or .parquet files; a pattern such as
            "photos/**/*.jpg" or "train-{000..009}.tar"; "package.module:function", a function without parameters that
            returns anything that `crosslens.data` takes, found from the current folder on.
        data: `crosslens.data`, for what such a function returns.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: nothing of this name, or nothing that holds images.
    """
    path = Path(text)
    if path.is_dir():
        return _folder_source(path, resize, crop)
    if path.is_file():
        if _kind(path) == "pictures" and path.suffix.lower() not in SUFFIXES:
            raise ImageError(f"'{text}' holds no images that can be read; data is {KINDS}")
        return files_source([text], None, resize=resize, crop=crop)
    if files := _matching(text):
        return files_source(files, None, resize=resize, crop=crop)
    file, _, name = text.rpartition(":")
    if file.lower().endswith(".npz") and Path(file).is_file():
        _refuse_fitting(resize, crop)
        return ArrayFile(open_npz, Path(file), name)
    if _FUNCTION.fullmatch(text):
        return _made_by_function(text, data, resize, crop)
    if has_magic(text) or "{" in text:
        raise ImageError(f"no file fits the pattern '{text}'; data is {KINDS}")
    raise ImageError(f"'{text}' does not exist; data is {KINDS}")


def files_source(
    files: Sequence[str], labels: Sequence[Any] | None, *, resize: str | None, crop: float | None
) -> Source:
    """The source of files of one kind; of pictures where it is no other.

    Args:
        files: their paths, at least one.
        labels: one for each picture, if there are such.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: they are of several kinds, or of one of which only one file can be read.
    """
    paths = [Path(file) for file in files]
    kinds = sorted({_kind(path) for path in paths})
    if kinds == ["pictures"]:
        return PictureFiles(files, labels, resize=resize, crop=crop)
    if len(kinds) > 1 or labels is not None:
        raise ImageError(f"{len(files)} files are of several kinds, {', '.join(kinds)}: give those of one kind")
    if len(files) > 1:
        raise ImageError(f"{len(files)} {kinds[0]} files are no single source: give one, '{files[0]}' for example")
    _refuse_fitting(resize, crop)
    return ArrayFile(_OPENERS[kinds[0]], paths[0])


_OPENERS = {".npy": open_npy, ".npz": open_npz, "IDX": open_idx}


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _OPENERS:
        return suffix
    return "IDX" if suffix not in SUFFIXES and is_idx(path) else "pictures"


def _refuse_fitting(resize: str | None, crop: float | None) -> None:
    """Refuse options that arrays do not follow."""
    if resize is not None or crop is not None:
        raise ImageError("resize and crop are for pictures; arrays have their pixels already")


def _folder_source(folder: Path, resize: str | None, crop: float | None) -> Source:
    return PictureFolder(folder, resize=resize, crop=crop)


def _matching(text: str) -> list[str]:
    """The files that a pattern fits, sorted; with braces, {00..09} and {a,b} are each of these in this order."""
    found = [file for each in _without_braces(text) for file in (sorted(glob(each, recursive=True)) or [each])]
    return [file for file in dict.fromkeys(found) if Path(file).is_file()]


def _without_braces(text: str) -> Iterator[str]:
    """
    >>> list(_without_braces("a-{08..10}.tar")), list(_without_braces("{x,y}1"))
    (['a-08.tar', 'a-09.tar', 'a-10.tar'], ['x1', 'y1'])
    """
    match = re.search(r"\{([^{}]*)\}", text)
    if not match:
        yield text
        return
    for part in _choices(match[1]):
        yield from _without_braces(text[: match.start()] + part + text[match.end() :])


def _choices(inside: str) -> list[str]:
    if numbers := re.fullmatch(r"(\d+)\.\.(\d+)", inside):
        first, last = numbers[1], numbers[2]
        width = len(first) if first.startswith("0") or len(first) == len(last) else 0
        return [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return inside.split(",")


def _made_by_function(text: str, data: Callable[..., Source], resize: str | None, crop: float | None) -> Source:
    module, _, name = text.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImageError(
            f"'{text}' does not exist, and there is no module {error.name!r} to import from '{here}'; data is {KINDS}"
        ) from error
    except AttributeError as error:
        raise ImageError(
            f"the module {module!r} has no function {name!r}; '{text}' names one that gives data"
        ) from error
    if not callable(function):
        raise ImageError(f"'{text}' is a {type(function).__name__}, not a function that returns data")
    return data(function(), resize=resize, crop=crop)
