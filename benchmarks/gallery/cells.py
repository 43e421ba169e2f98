"""One cell of a sheet: one method on one network, computed once and kept in out/gallery until it is asked for anew."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import crosslens
import numpy as np
from crosslens.arrays import as_numpy
from crosslens.image.overlay import overlay

from .photographs import Subject
from .rows import QUICK

KEPT = Path(__file__).parents[2] / "out" / "gallery"


@dataclass(frozen=True)
class Cell:
    """Raw values, and the picture of them, (H, W, 3)."""

    values: np.ndarray[Any, Any]
    picture: np.ndarray[Any, Any]


def kept(name: str, network: str, subject: str) -> Path:
    """Where a cell lies; other settings lie elsewhere."""
    chosen = "".join(f"-{key}-{value}" for key, value in QUICK.get(name, {}).items())
    return KEPT / subject / network / f"{name}{chosen}.npz"


def computed(name: str, model: crosslens.Model, subject: Subject, path: Path) -> None:
    """Run the method and keep what it gives; a run that is cut off keeps nothing."""
    image = crosslens.load_image(subject.path, like=model)
    start = perf_counter()
    result = crosslens.method(name, **QUICK.get(name, {}))(model, image, target=subject.target)
    print(f"{path.parent.name} {name}: {perf_counter() - start:.1f} s", *result.notes, sep="; ", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, values=as_numpy(result.values), picture=result.picture())
    os.replace(unfinished, path)


def read(path: Path) -> Cell:
    with np.load(path) as saved:
        return Cell(saved["values"], saved["picture"])


def thumbnail(cell: Cell, subject: Subject, side: int) -> np.ndarray[Any, Any]:
    """The picture, made smaller later; a map of single pixels drawn from the strongest of each square that becomes one.

    Neighbouring pixels of a gradient differ in sign: a picture of it made smaller is grey.
    """
    if cell.values.ndim == 3:
        return cell.picture
    values = crosslens.Attribution(cell.values).maps()[0]
    step = values.shape[0] // side
    squares = values[: side * step, : side * step].reshape(side, step, side, step).swapaxes(1, 2)
    squares = squares.reshape(side, side, step * step)
    strongest = np.take_along_axis(squares, np.abs(squares).argmax(axis=2)[..., None], axis=2)[..., 0]
    return overlay(crosslens.load_image(subject.path, size=(side, side))[0], strongest)


def spread(cells: list[Cell]) -> float:
    """The largest difference between any two networks' values, over the largest value."""
    values = np.stack([cell.values.astype(np.float64) for cell in cells])
    return float(np.ptp(values, axis=0).max() / np.abs(values).max())
