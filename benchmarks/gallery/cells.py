"""One cell of a sheet: one method on one network, computed once and kept in out/gallery until it is asked for anew."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import crosslens
import numpy as np
from crosslens.arrays import as_numpy
from crosslens.plugins import method_class

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


def family(name: str) -> str:
    """The folder of methods/ that a method lies in."""
    return method_class(name).__module__.split(".")[-2]


def spread(cells: list[Cell]) -> float:
    """The largest difference between any two networks' values, over the largest value."""
    values = np.stack([cell.values.astype(np.float64) for cell in cells])
    return float(np.ptp(values, axis=0).max() / np.abs(values).max())
