"""Pictures from the command line: files and folders, loaded as one batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image import load_image
from ..model import Model

__all__ = ["SUFFIXES", "loaded", "picture_files", "titles"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""What counts as a picture in a folder, and beside models on the command line."""


def picture_files(places: Sequence[Path]) -> list[Path]:
    """The files given, and for each folder the pictures in it by name, not those of folders inside.

    Raises:
        ImageError: a folder that holds no picture.
    """
    return [path for place in places for path in _files(place)]


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    found = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ImageError(f"no picture in the folder '{place}'; files that end in {', '.join(sorted(SUFFIXES))} count")
    yield from found


def titles(files: Sequence[Path]) -> list[str]:
    """A name for each file: the file's where they differ, else the path."""
    names = [path.name for path in files]
    return names if len(set(names)) == len(names) else [str(path) for path in files]


def loaded(files: Sequence[Path], like: Model) -> Any:
    """Pictures as one batch (N, C, H, W) for a model; None for no files."""
    return np.concatenate([load_image(path, like=like) for path in files]) if files else None
