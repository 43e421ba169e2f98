"""Pictures of shapes as arrays, and as a folder that `crosslens.concept_data` reads."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError, ParameterError
from ...execution.progress import Progress, silent
from ...files.whole_file import whole_file, writable_folder, write_bytes, write_text
from ...image.encoding import encode_picture
from .drawing import CLASSES, NAMES, draw_shapes

__all__ = ["ShapeArrays", "shape_arrays", "write_shapes"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ShapeArrays:
    """Pictures of shapes in memory; `crosslens.concept_data((x.images, x.masks, x.names))` reads such arrays x."""

    images: Numbers
    """(N, size, size, 3) uint8."""
    masks: Mapping[str, Numbers]
    """By category (N, size, size) uint8, numbers from 1 on; 0 outside all shapes."""
    classes: Numbers
    """(N,) int64: the place of each picture's class in `CLASSES`."""
    names: Mapping[str, tuple[str, ...]]
    """By category the names of the numbers from 1 on."""


def shape_arrays(count: int, *, size: int = 64, seed: int = 0, start: int = 0) -> ShapeArrays:
    """Some pictures of the set that a seed gives.

    Args:
        count: how many.
        size: pixels of a side.
        seed: of the set.
        start: the number of the first.
    """
    if count < 1:
        raise ParameterError(f"count is {count}; give the number of pictures, at least 1")
    drawings = [draw_shapes(number, size=size, seed=seed) for number in range(start, start + count)]
    numbers = {name: number for number, name in enumerate(CLASSES)}
    return ShapeArrays(
        np.stack([each.pixels for each in drawings]),
        {category: np.stack([each.masks[category] for each in drawings]) for category in NAMES},
        np.array([numbers[each.label] for each in drawings], np.int64),
        NAMES,
    )


def write_shapes(
    folder: str | Path, *, count: int = 2000, size: int = 64, seed: int = 0, progress: Progress = silent
) -> Path:
    """Write pictures of shapes, and their masks, as a folder that `crosslens.concept_data` reads.

    It holds images/NUMBER.png, masks/shape, masks/colour and masks/texture, concepts.json, labels.csv with each
    picture's class, and classes.txt, all classes in the order in which a network's outputs have them. The same
    arguments give the same pictures.

    Args:
        folder: made if it does not exist; must be empty.
        count: how many pictures.
        size: pixels of a side.
        seed: of the set.
        progress: told after each picture.

    Raises:
        ImageError: the folder holds something, or cannot be written to.
        ParameterError: no picture, or one that is too small.
    """
    folder = Path(folder)
    if count < 1:
        raise ParameterError(f"count is {count}; give the number of pictures, at least 1")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ImageError(
            f"'{folder}' is not an empty folder; give a new one, so that no other pictures are among these"
        )
    first = draw_shapes(0, size=size, seed=seed)
    places = {"": folder / "images", **{category: folder / "masks" / category for category in first.masks}}
    for place in places.values():
        writable_folder(place, ImageError)
    labels = []
    for number in range(count):
        drawn = draw_shapes(number, size=size, seed=seed)
        name = f"{number:0{len(str(count - 1))}d}.png"
        labels.append((name, drawn.label))
        for category, pixels in {"": drawn.pixels, **drawn.masks}.items():
            _save(pixels, places[category] / name)
        progress(number + 1, count, "pictures")
    _write(folder, labels)
    return folder


def _save(pixels: Numbers, path: Path) -> None:
    write_bytes(path, encode_picture(pixels, "PNG", compress_level=1))


def _write(folder: Path, labels: list[tuple[str, str]]) -> None:
    """The texts, last: a folder without names is not one of concepts, so one that was interrupted is not taken."""
    with whole_file(folder / "labels.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("image", "label"), *labels])
    write_text(folder / "classes.txt", "\n".join(CLASSES) + "\n")
    numbers = {category: {str(n): name for n, name in enumerate(each, 1)} for category, each in NAMES.items()}
    write_text(folder / "concepts.json", json.dumps(numbers, indent=2) + "\n")
