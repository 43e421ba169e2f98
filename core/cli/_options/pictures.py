"""Image files and folders given on the command line, loaded as one batch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ...data.sources.picture_files import SUFFIXES
from ...errors import ImageError
from ...image.batch import image_batch
from ...image.fitting import RESIZE
from ...image.io import load_image
from ...image.multiband import ARRAYS
from ...limits.whole_numbers import is_whole_number
from ...method.base import Method
from ...method.parameter import parameters
from ...model.base import Model
from ...picture_run.picture_list import find_pictures

__all__ = [
    "ARRAYS",
    "BANDS",
    "FITTING",
    "SUFFIXES",
    "fitting_options",
    "load_all",
    "load_pictures",
    "picture_files",
    "titles",
]


class Bands(click.ParamType):  # type: ignore[type-arg]
    """The channels that a picture shows, "3,2,1": one for grey, or three for red, green and blue."""

    name = "R,G,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        parts = str(value).split(",")
        if len(parts) not in {1, 3} or not all(is_whole_number(part.strip()) for part in parts):
            self.fail(
                f"{value!r} is not a choice of bands; write one or three numbers from 1 on, 3,2,1 for example",
                param,
                ctx,
            )
        return tuple(int(part) for part in parts)


BANDS = click.Option(
    ["--bands"], type=Bands(), help="Channels to show as red, green and blue, from 1 on; the first three if not given."
)


FITTING = (
    click.Option(
        ["--resize"],
        type=click.Choice(list(RESIZE)),
        help="How a picture of another size than the model's is resized: "
        + "; ".join(f"{name}, {text}" for name, text in RESIZE.items())
        + ". short if not given.",
    ),
    click.Option(
        ["--crop"],
        type=click.FloatRange(0, 1, min_open=True),
        help="Share of the short side that is kept, 1 for all. 0.875 if not given, and more where a picture would have "
        "to be enlarged for that.",
    ),
)
"""The options of how pictures get to the model's size."""


def fitting_options(*kinds: type[Method]) -> list[click.Option]:
    """`FITTING` beside the parameters of these methods: --crop is their own where one has a parameter of that name."""
    own = {f.name for kind in kinds for f in parameters(kind)}
    return [option for option in FITTING if option.name not in own]


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


def load_pictures(files: Sequence[Path], like: Model, options: Mapping[str, Any], *, any_size: bool = False) -> Any:
    """Pictures as one batch (N, C, H, W) for a model, as `FITTING` says; None for no files.

    Args:
        files: pictures.
        like: the model.
        options: what was given on the command line, "resize" and "crop" among it.
        any_size: pictures are taken at their own size, unless --resize says otherwise.
    """
    resize, crop = options.get("resize"), options.get("crop")
    pictures = load_image(list(files), like=like, resize=resize, crop=crop, whole=any_size) if files else None
    if resize == "none" and not any_size and pictures is not None and not like.input.takes_shape(pictures.shape):
        own = " x ".join(map(str, pictures.shape[2:]))
        raise ImageError(f"--resize none keeps {own} pixels; this model takes {like.input.wanted}: leave it out")
    return pictures


def load_all(files: Sequence[Path], like: Model, options: Mapping[str, Any]) -> tuple[Any, Mapping[Path, ImageError]]:
    """Pictures as one batch (N, C, H, W) for a model, None for no files; and why others cannot be read.

    Raises:
        ImageError: none of them can be read.
    """
    pictures, failed = [], dict[Path, ImageError]()
    for path in files:
        try:
            pictures.append(load_pictures([path], like, options))
        except ImageError as error:
            failed[path] = error
    if failed and not pictures:
        raise next(iter(failed.values()))
    return image_batch(pictures, like, strict=False) if pictures else None, failed
