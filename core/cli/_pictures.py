"""Image files and folders given on the command line, loaded as one batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data.picture_folder import SUFFIXES
from ..errors import ImageError
from ..image.io import load_image
from ..image.multiband import ARRAYS
from ..model.base import Model

__all__ = ["ARRAYS", "BANDS", "SUFFIXES", "load_pictures", "picture_files", "titles"]


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
    """The files given, and for each folder the pictures in it by name, not those of folders inside.

    Raises:
        ImageError: a folder that holds no picture.
    """
    return [path for place in places for path in _pictures_in(place)]


def _pictures_in(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    pictures = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not pictures:
        raise ImageError(f"no picture in the folder '{place}'; files that end in {', '.join(sorted(SUFFIXES))} count")
    yield from pictures


def titles(files: Sequence[Path]) -> list[str]:
    """A name for each file: the file's where they differ, else the path."""
    names = [path.name for path in files]
    return names if len(set(names)) == len(names) else [str(path) for path in files]


def load_pictures(files: Sequence[Path], like: Model) -> Any:
    """Pictures as one batch (N, C, H, W) for a model; None for no files."""
    return np.concatenate([load_image(path, like=like) for path in files]) if files else None
