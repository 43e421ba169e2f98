"""Files that the command line writes and reads: checked before the long work."""

import json
import os
from pathlib import Path
from typing import Any

import click

from ..errors import CrosslensError, ModelError

__all__ = ["Writable", "read_labels", "writable_folder"]


class Writable(click.ParamType):  # type: ignore[type-arg]
    """A path with one of these suffixes that can be written."""

    name = "file"

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.suffix not in self.suffixes:
            raise CrosslensError(f"cannot write '{path}': its name must end in {' or '.join(self.suffixes)}")
        if path.is_dir():
            raise CrosslensError(f"cannot write '{path}': it is a folder")
        if not path.parent.is_dir():
            raise CrosslensError(f"cannot write '{path}': the folder '{path.parent}' does not exist")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise CrosslensError(f"cannot write '{path}': permission denied")
        return path


def writable_folder(path: Path) -> Path:
    """This folder, made if it does not exist.

    Raises:
        CrosslensError: it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CrosslensError(f"cannot make the folder '{path}': {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise CrosslensError(f"cannot write into '{path}': permission denied")
    return path


def read_labels(path: Path) -> list[str]:
    """Class names from a JSON list, or from a text file with one a line.

    Raises:
        ModelError: no such file, or it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read labels from '{path}': {getattr(error, 'strerror', 'it is no text')}") from error
    if path.suffix != ".json":
        return text.splitlines()
    try:
        labels = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"labels in '{path}' are no JSON: {error}") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(
            f'labels in \'{path}\' are no list of texts; write ["cat", "dog"], or one label a line in .txt'
        )
    return labels
