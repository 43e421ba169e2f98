"""The option -o of `crosslens run`: a file, a folder for many outputs, or - for stdout."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ...errors import CrosslensError
from ...result import Result
from .._text.streams import write_bytes
from .files import Writable

__all__ = ["STDOUT", "FileOrStdout", "Folder", "Output", "write_to_stdout"]

STDOUT = "-"


@dataclass(frozen=True)
class Folder:
    """A folder to write to; it need not exist yet."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


class FileOrStdout(Writable):
    """A file with one of these suffixes, or - for stdout."""

    name = "file|-"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == STDOUT else super().convert(value, param, ctx)


class Output(Writable):
    """A file with one of these suffixes, a folder (without a suffix, or with a slash at the end), or - for stdout."""

    name = "file|folder|-"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, Folder) or value == STDOUT:
            return value
        path = Path(value)
        if path.suffix in self.suffixes and not path.is_dir() and not str(value).endswith(("/", os.sep)):
            return super().convert(value, param, ctx)
        if path.suffix and not path.is_dir() and not str(value).endswith(("/", os.sep)):
            raise CrosslensError(
                f"cannot write '{path}': its name must end in {' or '.join(self.suffixes)}; a folder's "
                f"in a slash, '{path}/'"
            )
        _refuse_unwritable(path)
        return Folder(path)


def _refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before any work."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise CrosslensError(f"cannot write into the folder '{folder}': '{there}' is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise CrosslensError(f"cannot write into the folder '{folder}': permission denied for '{there}'")


def write_to_stdout(result: Result, suffix: str, form: str | None) -> None:
    """The bytes of the file that `Result.save` would write."""
    write_bytes(result.encode(suffix, form))
