"""Checks of output files before the long work starts, and reading of label files."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ...errors import CrosslensError, ModelError, ParameterError
from ...image.video import find_ffmpeg
from ...metadata.preprocess_json import MOST_BYTES
from ...method.base import Method
from ...reading.text_file import parse_json, read_text
from ...synthesis.picture_method import PictureMethod

__all__ = ["Writable", "check_animation", "check_snapshots", "read_labels"]


class Writable(click.ParamType):  # type: ignore[type-arg]
    """A path with one of these suffixes that can be written."""

    name = "file"

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.suffix not in self.suffixes:
            raise CrosslensError(f"cannot write '{path}': its name must end in {' or '.join(self.suffixes)}")
        try:
            _refuse_unwritable(path)
        except (OSError, ValueError) as error:  # a name that is too long, or that no disk can hold
            raise CrosslensError(f"cannot write '{path}': {getattr(error, 'strerror', None) or error}") from error
        if path.suffix == ".mp4":
            find_ffmpeg(path)
        return path


def _refuse_unwritable(path: Path) -> None:
    """Refuse what cannot be a file, before the work.

    Raises:
        CrosslensError: why.
        OSError, ValueError: it cannot even be looked at.
    """
    if path.is_dir():
        raise CrosslensError(f"cannot write '{path}': it is a folder")
    if not path.parent.is_dir():
        raise CrosslensError(f"cannot write '{path}': the folder '{path.parent}' does not exist")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise CrosslensError(f"cannot write '{path}': permission denied")
    if path.exists() and not path.is_file():
        raise CrosslensError(f"cannot write '{path}': it is a pipe or a device, not a regular file")
    with suppress(FileNotFoundError):  # refuses links that lead back to themselves, and names that are too long
        os.path.realpath(path, strict=True)
    if not (folder := Path(os.path.realpath(path)).parent).is_dir():
        raise CrosslensError(f"cannot write '{path}': the folder '{folder}' does not exist")


def check_animation(method: Method, out: Path | None) -> None:
    """Refuse an animation of a method that would make one picture only, before the work; a .webp may be one picture.

    Raises:
        ParameterError: with the option that is missing.
    """
    if out is not None and out.suffix in {".gif", ".mp4"} and isinstance(method, PictureMethod):
        method.check_animation()


def check_snapshots(method: Method, endings: Sequence[str]) -> None:
    """Refuse snapshots that no file with one of these endings would hold, before the work.

    Raises:
        ParameterError: with the endings that hold them.
    """
    lost = {".png", ".jpg", ".jpeg"}.issuperset(endings)
    if lost and isinstance(method, PictureMethod) and method.every is not None:
        raise ParameterError(
            f"a {' or '.join(endings)} holds the last picture only, not those on the way that every={method.every} "
            "keeps: write .gif, .webp or .npz, or leave every out"
        )


def read_labels(path: Path) -> list[str]:
    """Class names from a JSON list, or from a text file with one a line.

    Raises:
        ModelError: no such file, or it holds something else.
    """
    text = read_text(path, ModelError, "file of labels", MOST_BYTES)
    if path.suffix != ".json":
        return text.splitlines()
    try:
        labels = parse_json(text)
    except ValueError as error:
        raise ModelError(f"labels in '{path}' are not JSON: {error}") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(
            f'labels in \'{path}\' are not a list of texts; write ["cat", "dog"], or one label a line in .txt'
        )
    return labels
