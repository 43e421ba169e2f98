"""Image files and folders given on the command line, loaded as one batch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data.picture_folder import SUFFIXES
from ..errors import ImageError
from ..image.io import load_image
from ..image.multiband import ARRAYS
from ..model.base import Model
from ..picture_run.picture_list import find_pictures

__all__ = ["ARRAYS", "BANDS", "SUFFIXES", "load_all", "load_pictures", "picture_files", "titles"]


class Bands(click.ParamType):  # type: ignore[type-arg]
    """The channels that a picture shows, "3,2,1": one for grey, or three for red, green and blue."""

    name = "R,G,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        parts = str(value).split(",")
        if len(parts) not in {1, 3} or not all(part.strip().isdecimal() for part in parts):
            self.fail(
                f"{value!r} is not a choice of bands; write one or three numbers from 1 on, 3,2,1 for example",
                param,
                ctx,
            )
        return tuple(int(part) for part in parts)


BANDS = click.Option(
    ["--bands"], type=Bands(), help="Channels to show as red, green and blue, from 1 on; the first three if not given."
)


def picture_files(places: Sequence[Path]) -> list[Path]:
    """The files given, the pictures of folders with those of their sub-folders, and those that fit patterns.

    Raises:
        ImageError: a folder that holds no picture, or a pattern that none fits.
    """
    return [each.path for each in find_pictures(places)] if places else []


def titles(files: Sequence[Path]) -> list[str]:
    """A name for each file: the file's where they differ, else the path."""
    names = [path.name for path in files]
    return names if len(set(names)) == len(names) else [str(path) for path in files]


def load_pictures(files: Sequence[Path], like: Model) -> Any:
    """Pictures as one batch (N, C, H, W) for a model; None for no files."""
    return np.concatenate([load_image(path, like=like) for path in files]) if files else None


def load_all(files: Sequence[Path], like: Model) -> tuple[Any, Mapping[Path, ImageError]]:
    """Pictures as one batch (N, C, H, W) for a model, None for no files; and why others cannot be read.

    Raises:
        ImageError: none of them can be read.
    """
    pictures, failed = [], dict[Path, ImageError]()
    for path in files:
        try:
            pictures.append(load_image(path, like=like))
        except ImageError as error:
            failed[path] = error
    if failed and not pictures:
        raise next(iter(failed.values()))
    return np.concatenate(pictures) if pictures else None, failed
