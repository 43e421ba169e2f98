"""`Layout`: a point for each row, and what is needed to add new points to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from ..result.display import counted, one_line

__all__ = ["Layout", "Numbers", "at_places", "checked_dimensions", "checked_rows", "checked_seed", "library", "usable"]

Numbers: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Layout:
    """Points in two or three dimensions, one for each row that was laid out."""

    name: str
    """"pca", "tsne" or "umap"."""
    points: Numbers
    """(N, d), float32; NaN where the row was NaN or infinite, as that of an image that could not be read is."""
    parameters: Mapping[str, Any]
    """How it was made, as JSON can hold it: dimensions, seed, perplexity, the library."""
    repeatable: bool
    """Whether the same rows and parameters give the same bits again, on one type of processor, with any number of
    threads."""
    notes: tuple[str, ...] = ()
    """What a reader must know: what was changed for these rows, for example."""
    state: Mapping[str, Numbers] = field(default_factory=dict)
    """What new points are placed by: arrays by name; the rows themselves with t-SNE and UMAP."""
    placing: Callable[["Layout", Numbers], Numbers] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        facts = [counted(len(self), "point"), f"{self.points.shape[1]} dimensions"]
        return one_line(f"Layout by {self.name}", [*facts, "" if self.repeatable else "not repeatable"])

    def place(self, rows: Array) -> Numbers:
        """Where new rows lie in this layout, whose own points stay where they are.

        Args:
            rows: (M, columns), as many columns as the rows that were laid out.

        Returns:
            (M, d), float32; NaN where a row is NaN or infinite. Each depends on the layout and its own row
            only, up to rounding; with UMAP also on chance.

        Raises:
            ParameterError: another number of columns, or a layout that takes no new points.
        """
        given = checked_rows(rows)
        if self.placing is None:
            raise ParameterError(
                f"this layout by {self.name} takes no new points: it was turned and scaled onto that of rows of "
                "another length; lay all rows out again"
            )
        columns = self.parameters["columns"]
        if given.shape[1] != columns:
            raise ParameterError(f"the layout was made of rows of {columns} numbers; received rows of {given.shape[1]}")
        known = usable(given)
        placed = self.placing(self, given[known]) if known.any() else np.zeros((0, self.points.shape[1]))
        return at_places(placed, known)

    def saved(self) -> Mapping[str, Any]:
        """The layout as arrays, numbers and text; `layout_from_saved` gives it back."""
        return {
            "name": self.name,
            "points": self.points,
            "parameters": dict(self.parameters),
            "repeatable": self.repeatable,
            "notes": tuple(self.notes),
            "state": dict(self.state),
        }


def checked_rows(rows: Array) -> Numbers:
    """Rows as NumPy's float32 or float64, (N, columns).

    Raises:
        ParameterError: there is none, or they are not numbers in rows.
    """
    given = as_numpy(rows)
    if given.ndim != 2 or not given.size or given.dtype.kind not in "biuf":
        raise ParameterError(
            f"a layout takes rows of numbers, (N, columns) with at least one of each; received {given.dtype} "
            f"{given.shape}: rows.reshape(len(rows), -1) makes rows of images or maps"
        )
    return given if given.dtype in (np.float32, np.float64) else given.astype(np.float32)


def checked_dimensions(dimensions: int, most: int | None = None) -> int:
    """The number of dimensions, if it is one.

    Raises:
        ParameterError: it is below 1, or above what the method can give.
    """
    whole = isinstance(dimensions, int | np.integer) and not isinstance(dimensions, bool)
    if not whole or dimensions < 1 or (most and dimensions > most):
        right = f"a whole number from 1 to {most}" if most else "a whole number, at least 1"
        raise ParameterError(f"dimensions is {dimensions!r}; give {right}; 2 or 3 can be drawn")
    return int(dimensions)


def checked_seed(seed: int) -> int:
    """The seed, if it is one that every library takes.

    Raises:
        ParameterError: it is none.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ParameterError(f"seed is {seed!r}; give a whole number, at least 0 and below 2**32")
    return int(seed)


def usable(rows: Numbers) -> Numbers:
    """(N,), bool: the rows that can be laid out, all of whose numbers are finite."""
    return np.asarray(np.isfinite(rows).all(axis=1))


def at_places(points: Numbers, known: Numbers) -> Numbers:
    """Points of the rows that are known, at their places among all; NaN elsewhere. float32."""
    every = np.full((len(known), points.shape[1]), np.nan, np.float32)
    every[known] = points
    return every


def library(module: str, package: str, install: str) -> Any:
    """A module of a library that only layouts need.

    Raises:
        ParameterError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ParameterError(f"this layout is computed by {package}: pip install {install}") from error
