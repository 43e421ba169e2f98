"""Checks of output files before the long work starts, and reading of label files."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from ...errors import CrosslensError, ModelError, ParameterError
from ...image.video import find_ffmpeg
from ...metadata.preprocess_json import MOST_BYTES
from ...method.base import Method
from ...reading.text_file import parse_json, read_text
from ...synthesis.picture_method import PictureMethod

__all__ = ["Writable", "WritingCommand", "check_animation", "check_snapshots", "read_labels"]


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
        if path.suffix == ".mp4":
            find_ffmpeg(path)
        return path


class WritingCommand(click.Command):
    """A command that writes files, and refuses to write over one that it reads."""

    def invoke(self, ctx: click.Context) -> Any:
        written = [p.name for p in self.params if isinstance(p.type, Writable)]
        read = [value for name, value in ctx.params.items() if name not in written]
        for output in _paths([ctx.params.get(str(name)) for name in written]):
            _refuse_overwriting(output, [path for path in _paths(read) if _exists(path)])
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


def _paths(value: Any) -> Iterator[Path]:
    """What may be a file in an option's value: the text itself, and the parts of NAME=FILE and layer:NAME:FILE."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _paths(each)
    elif isinstance(value, Path) or (isinstance(value, str) and value != "-"):
        yield Path(value)
        yield from (Path(part) for part in re.split("[=:,]", str(value))[1:] if part)


def _exists(path: Path) -> bool:
    """Whether there is such a file or folder; False for a text that cannot be a path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _refuse_overwriting(output: Path, inputs: list[Path]) -> None:
    """Refuse an output that is one of the files that are read, under whatever name, or lies in a folder that is read.

    Raises:
        CrosslensError: with the name to change.
    """
    for path in inputs:
        inside = path.is_dir() and output.exists() and path.resolve() in output.resolve().parents
        if inside or (output.exists() and path.samefile(output)):
            raise CrosslensError(f"'{output}' is read by this command and would be lost; give -o another name")
        beside = re.fullmatch(rf"{re.escape(output.stem)}-(\d{{4,}}|masked|adversarial)\.png", path.name)
        if beside and path.resolve().parent == output.resolve().parent:
            raise CrosslensError(
                f"'{path}' is read by this command and could be lost: files written beside '{output}' have such names; "
                "give -o another name"
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
