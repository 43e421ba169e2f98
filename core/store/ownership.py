"""Which files of a folder a survey has written, so that nothing else is ever replaced or deleted."""

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import ParameterError
from ..reading.text_file import parse_json
from .lock import LOCK
from .manifest import MANIFEST, read_manifest, write_manifest

__all__ = ["FILES", "REMOVED", "refuse_foreign", "remove_left_over", "remove_survey"]

FILES = "files.json"
"""In a method's folder: the names of the files that were written there."""
REMOVED = "removed"
"""In the manifest of a survey that is being deleted."""
_LEFT_OVER = re.compile(r"\.[0-9a-f]{16}(\.\w+)?")
"""Names under which files and folders are written before they are whole; a process that was killed leaves them."""
_FILES = ("images.parquet", "README.md", "log.jsonl")
_FOLDERS = {
    "states": ("round-*/*.npz", "round-*/statistics.json", "images-*.parquet"),
    "rows": ("*.npy",),
    "thumbnails": ("[0-9]*.jpg",),
}
"""Folders of a survey, and what it writes in them."""


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something and no survey.

    Raises:
        ParameterError: what it holds.
    """
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"'{folder}' is a file; a survey is written into a folder: name another")
    if not folder.is_dir() or (folder / MANIFEST).exists():
        return
    try:
        others = sorted(each.name for each in folder.iterdir() if not _is_left_over(each) and each.name != LOCK)
    except OSError as error:
        raise ParameterError(f"cannot read the folder '{folder}': {error.strerror}") from error
    if others:
        raise ParameterError(
            f"'{folder}' holds other things ({', '.join(others[:3])}{', ...' * (len(others) > 3)}) and no survey: name "
            "a new folder"
        )


def _is_left_over(path: Path) -> bool:
    return _LEFT_OVER.fullmatch(path.name) is not None


def remove_left_over(folder: Path) -> None:
    """Delete what a process that was killed had not finished."""
    within = [folder, *(folder / name for name in _FOLDERS), *(folder / "states").glob("round-*")]
    for path in [each for place in within if place.is_dir() for each in place.iterdir() if _is_left_over(each)]:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_survey(folder: Path) -> None:
    """Delete all that a survey has written into this folder, its manifest last; what else lies there stays.

    The manifest says that this was begun, so that it is ended after a kill.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return
    write_manifest(folder, {**manifest, REMOVED: True})
    places = [folder / Path(entry["folder"]).name for entry in manifest.get("methods", ())]
    for path in (*_written(folder), *(file for place in places for file in _written_results(place))):
        with suppress(OSError):
            path.unlink()
    for place in (*(folder / "states").glob("round-*"), *(folder / name for name in _FOLDERS), *places):
        with suppress(OSError):
            place.rmdir()
    (folder / MANIFEST).unlink()


def _written(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in _FILES)
    for name, patterns in _FOLDERS.items():
        for pattern in patterns:
            yield from (folder / name).glob(pattern)


def _written_results(place: Path) -> Iterator[Path]:
    """The files of a method's folder, by the list of them, which comes last."""
    with suppress(OSError, ValueError, TypeError):
        names = parse_json((place / FILES).read_bytes())
        yield from (place / Path(name).name for name in (*names, FILES))
