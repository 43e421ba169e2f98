"""What a text names, on the command line for example, as a `Source`: a folder, a file, a pattern, a function."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from glob import glob, has_magic
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...limits.regular_file import check_regular_file
from ..source import Source
from .array_files import ArrayFile, open_npy, open_npz
from .concepts.named_concepts import named_concepts
from .idx import is_idx, open_idx
from .objects.items import Items
from .parquet import ParquetFiles
from .picture_files import SUFFIXES, PictureFiles
from .picture_folder import PictureFolder, files_inside
from .webdataset import TarFiles

__all__ = ["files_source", "named_source", "refuse_fitting"]

KINDS = (
    "a folder of pictures, .npy, .npz, an IDX file (.gz), .tar, .parquet or a folder of these, a folder with masks, "
    "COCO's .json, a pattern, or package.module:function"
)
_MOST_FILES = 10**6
_DIGITS = 18
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def named_source(text: str, data: Callable[..., Source], *, resize: str | None, crop: float | None) -> Source:
    """The source of a text.

    Args:
        text: a folder of pictures, classes as sub-folders, or one with masks as `crosslens.concept_data` takes; a file:
            .npy, .npz (FILE.npz:NAME says which array), IDX, .tar in the layout of webdataset, .parquet, COCO's
            .json of instances; a folder of .tar or .parquet files; a pattern such as
            "photos/**/*.jpg" or "train-{000..009}.tar"; "package.module:function", a function without parameters that
            returns anything that `crosslens.data` takes, found from the current folder on.
        data: `crosslens.data`, for what such a function returns.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: nothing of this name, or nothing that holds images.
    """
    path = Path(text)
    if (labelled := named_concepts(path, resize=resize, crop=crop)) is not None:
        return labelled
    if path.is_dir():
        return _folder_source(path, resize, crop)
    if path.exists() and not path.is_file():
        check_regular_file(path, ImageError, "data")
    if path.is_file():
        if _kind(path) == "pictures" and path.suffix.lower() not in SUFFIXES:
            raise ImageError(f"'{text}' holds no images that can be read; data is {KINDS}")
        return files_source([text], None, resize=resize, crop=crop)
    if files := _matching(text):
        return files_source(files, None, resize=resize, crop=crop)
    file, _, name = text.rpartition(":")
    if file.lower().endswith(".npz") and Path(file).is_file():
        refuse_fitting(resize, crop)
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
    if len(kinds) == 1 and kinds[0] in _MANY and labels is None:
        return _MANY[kinds[0]](files, resize=resize, crop=crop)
    if len(kinds) > 1 or labels is not None:
        raise ImageError(f"{len(files)} files are of several kinds, {', '.join(kinds)}: give those of one kind")
    if len(files) > 1:
        raise ImageError(f"{len(files)} {kinds[0]} files are no single source: give one, '{files[0]}' for example")
    refuse_fitting(resize, crop)
    return ArrayFile(_OPENERS[kinds[0]], paths[0])


_OPENERS = {".npy": open_npy, ".npz": open_npz, "IDX": open_idx}
_MANY: dict[str, Callable[..., Source]] = {".tar": TarFiles, ".parquet": ParquetFiles}
"""Kinds of files of which several are one data set."""


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _OPENERS or suffix in _MANY:
        return suffix
    if re.search(r"\.tar\.\w+$|\.tgz$", path.name.lower()):
        return ".tar"
    return "IDX" if suffix not in SUFFIXES and is_idx(path) else "pictures"


def refuse_fitting(resize: str | None, crop: float | None) -> None:
    """Refuse options that arrays do not follow."""
    if resize is not None or crop is not None:
        raise ImageError("resize and crop are for pictures; arrays and sources have their pixels already")


def _folder_source(folder: Path, resize: str | None, crop: float | None) -> Source:
    """Pictures, or files of one kind of which several are one data set; refused where it holds both."""
    found = {suffix: sorted(files_inside(folder, {suffix})) for suffix in _MANY}
    kinds = [suffix for suffix, files in found.items() if files]
    if not kinds:
        _refuse_folder_of_arrays(folder)
        return PictureFolder(folder, resize=resize, crop=crop)
    if len(kinds) > 1 or files_inside(folder, SUFFIXES):
        others = "pictures" if len(kinds) == 1 else kinds[1]
        raise ImageError(
            f"the folder '{folder}' holds {kinds[0]} files and {others}: say which, for example "
            f"'{folder}/**/*{kinds[0]}'"
        )
    files = [str(folder / name) for name in found[kinds[0]]]
    return _MANY[kinds[0]](files, resize=resize, crop=crop)


def _refuse_folder_of_arrays(folder: Path) -> None:
    """Name the files of arrays that a folder holds, where it holds them and no pictures."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and _kind(path) in _OPENERS]
    if files and not files_inside(folder, SUFFIXES):
        named = ", ".join(path.name for path in files)
        raise ImageError(f"the folder '{folder}' holds {named}: say which, '{files[0]}' for example")


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
        if len(first) > _DIGITS or len(last) > _DIGITS or int(last) - int(first) >= _MOST_FILES:
            raise ImageError(f"the pattern {{{inside}}} names more than {_MOST_FILES} files; give a smaller range")
        width = len(first) if first.startswith("0") or len(first) == len(last) else 0
        return [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return inside.split(",")


def _made_by_function(
    text: str, data: Callable[..., Source], resize: str | None, crop: float | None, folder: str = ""
) -> Source:
    module, _, name = text.partition(":")
    here = folder or str(Path.cwd())
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
    source = data(function(), resize=resize, crop=crop)
    if isinstance(source, Items):
        source.made_by = (remade, text, here, data, resize, crop)
    return source


def remade(text: str, folder: str, data: Callable[..., Source], resize: str | None, crop: float | None) -> Source:
    """In another process, the source that a function gives.

    Args:
        text: "package.module:function".
        folder: where modules are looked for as well.
        data: `crosslens.data`.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.
    """
    return _made_by_function(text, data, resize, crop, folder)
