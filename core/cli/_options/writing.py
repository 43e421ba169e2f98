"""Commands that write files: what they read and what is the user's own is never written over.

Before any work all files that a command is given are set against all that it may write, whatever name they have. What
is written besides (snapshots, side files) is asked about when it is written: `crosslens.files.kept_files`.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from glob import glob, has_magic
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from ...data.sources.picture_files import SUFFIXES
from ...errors import CrosslensError
from ...files.kept_files import KeptFiles, keep_files
from ...files.own_files import is_own_file
from ...image.multiband import ARRAYS
from .files import Writable
from .output import Folder

__all__ = ["FolderPath", "WritingCommand"]

_OVERWRITE = "overwrite"
_DATA = {"pictures", "image", "images", "data", "photographs", "style", "parameter_style"}
"""Names of the parameters whose folders are read, all pictures in them."""
_SEPARATORS = (r"[=:,]", r"[=:,()|\s]", r"[=:,()|\s+*]")
"""What stands between the parts of NAME=FILE, layer:NAME:FILE, and of a target that is calculated from others."""


class FolderPath(click.Path):
    """A folder that a command writes into, and looks after itself."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)


class WritingCommand(click.Command):
    """A command that writes files, and refuses to write over one that it reads or that crosslens did not write."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        flag = click.Option(
            [f"--{_OVERWRITE}"],
            is_flag=True,
            help="Replace files that crosslens did not write; never one that is read.",
        )
        self.params.append(flag)

    def invoke(self, ctx: click.Context) -> Any:
        overwrite = bool(ctx.params.pop(_OVERWRITE, False))
        written = {str(p.name): p for p in self.params if isinstance(p.type, Writable | FolderPath)}
        outputs = [
            (path, _flag(p))
            for name, p in written.items()
            for path in _outputs(ctx.params.get(name), isinstance(p.type, FolderPath))
        ]
        read = {name: value for name, value in ctx.params.items() if name not in written}
        kept = KeptFiles(
            reads=list(_reads(read)),
            folders=[path for name in _DATA & read.keys() for path in _whole(read[name]) if _is_folder(path)],
            outputs=[path for path, _ in outputs if not isinstance(path, Folder)],
            output_folders=[path.path for path, _ in outputs if isinstance(path, Folder)],
            overwrite=overwrite,
        )
        for output, flag in outputs:
            if not isinstance(output, Folder):
                _check(output, flag, kept)
        _refuse_twice([(path, flag) for path, flag in outputs if not isinstance(path, Folder)])
        with keep_files(kept):
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, those of a group of a method's parameters under its title."""
        sections: dict[str, list[tuple[str, str]]] = {"": []}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                sections.setdefault(getattr(parameter, "group", ""), []).append(record)
        for title, records in sections.items():
            with formatter.section(title.capitalize() or "Options"):
                formatter.write_dl(records)


def _flag(parameter: click.Parameter) -> str:
    """As a user writes it: -o, --history."""
    return min(parameter.opts, key=len)


def _outputs(value: Any, folder: bool = False) -> Iterator[Path | Folder]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _outputs(each)
    elif isinstance(value, Path) and folder:
        yield Folder(value)
    elif isinstance(value, Path | Folder):
        yield value


def _reads(values: Mapping[str, Any]) -> Iterator[Path]:
    """The files that values name. A state of our own that is gone on from may be replaced by what it becomes."""
    for name, value in values.items():
        for path in _paths(value):
            if _is_file(path) and not (name.endswith("resume") and is_own_file(path)):
                yield path
        for pattern in (str(path) for path in _whole(value) if has_magic(str(path)) and not _is_file(path)):
            yield from map(Path, glob(pattern, recursive=True))


def _whole(value: Any) -> Iterator[Path]:
    """The texts and paths of an option's value, each as a path."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _whole(each)
    elif isinstance(value, Path) or (isinstance(value, str) and value not in {"", "-"}):
        yield Path(value)


def _paths(value: Any) -> Iterator[Path]:
    """What may be a file in an option's value: the text itself, and its parts."""
    for whole in _whole(value):
        parts = [part for each in _SEPARATORS for part in re.split(each, str(whole))]
        yield whole
        yield from (Path(part) for part in dict.fromkeys(parts) if part and part != str(whole))


def _is_file(path: Path) -> bool:
    """Whether there is such a file; False for a text that cannot be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _check(output: Path, flag: str, kept: KeptFiles) -> None:
    """Refuse an output that is a file that is read, under whatever name, lies among pictures, or is the user's own.

    Raises:
        CrosslensError: with the names, and what to change.
    """
    for path in kept.reads:
        if output.exists() and path.exists() and os.path.samefile(path, output):
            alike = os.path.normpath(path) == os.path.normpath(output)
            which = "is" if alike else f"is another name of '{path}', which is"
            raise CrosslensError(f"'{output}' {which} read by this command and would be lost; give {flag} another name")
        beside = re.fullmatch(rf"{re.escape(output.stem)}-(\d{{4,}}|masked|adversarial)\.\w+", path.name)
        if beside and path.resolve().parent == output.resolve().parent:
            raise CrosslensError(
                f"'{path}' is read by this command and could be lost: files written beside '{output}' have such names; "
                f"give {flag} another name"
            )
    for folder in kept.folders:
        if folder.resolve() in output.resolve().parents:
            _check_among_pictures(output, folder, flag)
    if output.exists() and not kept.overwrite and output.suffix.lower() != ".csv" and not is_own_file(output):
        raise CrosslensError(
            f"'{output}' exists, and crosslens did not write it: give {flag} another name, or replace it with "
            "--overwrite"
        )


def _check_among_pictures(output: Path, folder: Path, flag: str) -> None:
    """Refuse to write into a folder that is read what would be taken for a picture next time, or what is there.

    Raises:
        CrosslensError: with the name of the folder.
    """
    if output.exists() and not is_own_file(output):
        raise CrosslensError(
            f"'{output}' lies in '{folder}', which is read by this command, and would be lost; give {flag} another name"
        )
    if output.suffix.lower() in SUFFIXES | ARRAYS:
        raise CrosslensError(
            f"'{output}' lies in '{folder}', which is read by this command: the next call would take it for a picture; "
            f"give {flag} another name"
        )


def _refuse_twice(outputs: Sequence[tuple[Path, str]]) -> None:
    """Refuse two outputs of one name, also of names that differ in capitals only: some disks know no difference.

    Raises:
        CrosslensError: with both.
    """
    for (a, first), (b, second) in combinations(outputs, 2):
        beside = rf"{re.escape(a.stem)}-(\d{{4,}}|masked|adversarial){re.escape(a.suffix)}"
        same = str(a.resolve()).casefold() == str(b.resolve()).casefold()
        if same or (a.resolve().parent == b.resolve().parent and re.fullmatch(beside, b.name)):
            raise CrosslensError(
                f"{first} '{a}' and {second} '{b}' would be written over each other; give them different names"
            )
