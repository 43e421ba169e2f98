"""The cells of an atlas: which positions each of them holds, its mean, and the classes that it speaks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.errors import ParameterError
from crosslens.layouts.cells import grid_cells
from crosslens.model import Model
from crosslens.objective import Objective, direction
from crosslens.objective.class_score import ClassScore
from crosslens.objective.target import resolve_target

from ._position_effects import strongest

__all__ = ["Cells", "cells_of", "chosen_positions", "directions_of", "named", "refuse_few"]

Numbers = np.ndarray[Any, Any]
POWER = 4.0
"""Of the cosine, as in the notebooks of the paper."""


@dataclass(frozen=True)
class Cells:
    """The cells of a grid with enough positions, row by row."""

    places: Numbers
    """(cells, 2): row and column."""
    counts: Numbers
    """(cells,)."""
    cell_of: Numbers
    """(n,): the number of each position's cell, -1 for none."""

    @property
    def columns(self) -> dict[str, Numbers]:
        """Of a table of the cells."""
        return {"row": self.places[:, 0], "column": self.places[:, 1], "count": self.counts}

    def mean(self, rows: Numbers) -> Numbers:
        """The mean of rows (n, K) in each cell, (cells, K), float64."""
        return np.stack([rows[self.cell_of == n].mean(axis=0, dtype=np.float64) for n in range(len(self.places))])


def cells_of(points: Numbers, cells: int, minimum: int) -> Cells:
    """The cells of points (n, 2) with at least `minimum` of them.

    Raises:
        ParameterError: there is none; which grid or minimum has one.
    """
    place = grid_cells(points, cells)
    number = np.where(place[:, 0] < 0, -1, place[:, 0] * cells + place[:, 1])
    counts = np.bincount(number[number >= 0], minlength=cells * cells)
    used = np.flatnonzero(counts >= minimum)
    if not len(used):
        raise ParameterError(_too_few(points, cells, minimum, int(counts.max())))
    new = np.full(cells * cells + 1, -1, np.int64)
    new[used] = np.arange(len(used))
    return Cells(np.stack(np.divmod(used, cells), axis=1), counts[used], new[number])


def _too_few(points: Numbers, cells: int, minimum: int, most: int) -> str:
    known = int(np.isfinite(points).all(axis=1).sum())
    would = f"minimum={most} would do" if most else "there are none to show"
    for fewer in range(cells - 1, 0, -1):
        place = grid_cells(points, fewer)
        if np.unique(place[place[:, 0] >= 0], axis=0, return_counts=True)[1].max(initial=0) >= minimum:
            would = f"cells={fewer} or minimum={most} would do"
            break
    return (
        f"none of the {cells} x {cells} cells holds {minimum} of the {known} positions, the fullest {most}: {would}, "
        "or more images"
    )


def refuse_few(count: int, minimum: int) -> None:
    """Refuse data that can fill no cell, before any work."""
    if count < minimum:
        raise ParameterError(
            f"there are {count} positions at most, and a cell is shown if it holds {minimum}: minimum={count} or "
            "less would do, or more images, or more positions of each (per_image)"
        )


def chosen_positions(model: Model, target: Any, effects: Numbers, classes: int) -> tuple[str, Numbers]:
    """A target in words, and the positions that add to it and have it among the `classes` that they add most to.

    Args:
        model: the network.
        target: a class by its number or label; None for all positions.
        effects: (n, classes of the network); none where they were not gathered.
        classes: how many count.

    Raises:
        ParameterError: the target is not one class, there are no effects, or no position speaks for it.
    """
    if target is None:
        return "", np.ones(len(effects), bool)
    if not effects.shape[1]:
        raise ParameterError("target chooses positions by their classes, and sample was gathered with classes=0")
    objective = resolve_target(target, model, 1)
    if not isinstance(objective, ClassScore) or not isinstance(objective.target, int):
        raise ParameterError(f"target is {target!r}; give one class, by its number or its label")
    index, names = objective.target, model.output.names(model.labels)
    name = names[index] if names else f"class {index}"
    chosen = (strongest(effects, classes) == index).any(axis=1) & (effects[:, index] > 0)
    if not chosen.any():
        raise ParameterError(
            f"none of the {len(effects)} positions has {name} among the {classes} classes that it adds most to: raise "
            f"classes, at most {effects.shape[1]}, or take another target"
        )
    return name, np.asarray(chosen)


def directions_of(layer: str, vectors: Numbers, cells: Cells) -> list[Objective]:
    """What is climbed for each cell: its direction in the middle of the layer's maps."""
    places = [f"cell {row},{column}" for row, column in cells.places.tolist()]
    return [direction(layer, v, POWER, central=True, title=at) for v, at in zip(vectors, places, strict=True)]


def named(effects: Numbers, count: int, names: Sequence[str]) -> dict[str, Numbers]:
    """The columns "class" and "attribution" of cells whose positions add `effects` (cells, classes) on average."""
    top = strongest(effects, count)
    if not top.shape[1]:
        return {}
    words = np.array([[names[k] if names else str(k) for k in row] for row in top.tolist()])
    return {"class": words, "attribution": np.take_along_axis(effects, top, axis=1)}
