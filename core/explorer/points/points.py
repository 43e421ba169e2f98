"""`leaves` and `lines`: "points/K" of data.ts, the layouts of a survey's images, and what a menu says of each."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...arrays import array_digest, as_numpy
from ...checkpoints.steady_points import SteadyPoints
from ...errors import ParameterError
from ...plugins.saved_result import load
from ..book import Book
from ..data_folder import stamp_of
from ..data_urls import encoded_floats
from ..leaf import Leaf
from .one_layout import is_laid_out_again, normalised, together
from .plane import Plane, from_checkpoints, from_embeddings
from .strongest import COUNT, strongest_units

__all__ = ["leaves", "lines"]

Checkpoints: TypeAlias = SteadyPoints | str | Path | None
VERSION = 1
"""Of what is written, in each file's stamp."""


def leaves(book: Book, checkpoints: Checkpoints = None) -> list[Leaf]:
    """A leaf for each layout; the first that is made lays out all of them.

    Args:
        book: whose survey has embeddings.
        checkpoints: layouts of the same images in several checkpoints, or their file; they come after those of the
            survey.

    Raises:
        ParameterError: of `checkpoints`: the file holds something else, or points of none of these images.
    """
    planes = _planes(book, checkpoints)
    laid = _Laid(planes, [str(each) for each in as_numpy(book.survey.images["label"])] if planes else [])
    stamp = stamp_of("points", VERSION, [_facts(each) for each in planes])
    what = "points" if len(planes) == 1 else f"points of {len(planes)} layouts together"
    return [Leaf(f"points/{n}", stamp, partial(laid.page, n), what) for n in range(len(planes))]


def lines(book: Book, checkpoints: Checkpoints = None) -> list[Mapping[str, Any]]:
    """A `PointsLine` of data.ts for each layout, in the order of `leaves`; nothing is computed."""
    return [
        {
            "title": each.title,
            "layer": None if each.layer is None else book.ids[each.layer],
            "quality": {} if again else each.quality,
            "notes": [] if again else list(each.notes),
        }
        for planes in [_planes(book, checkpoints)]
        for each, again in zip(planes, is_laid_out_again(planes), strict=True)
    ]


def _planes(book: Book, checkpoints: Checkpoints) -> list[Plane]:
    if not book.survey:
        return []
    own = from_embeddings(book)
    return own if checkpoints is None else [*own, *from_checkpoints(book, _opened(checkpoints))]


def _opened(checkpoints: SteadyPoints | str | Path) -> SteadyPoints:
    result = load(checkpoints) if isinstance(checkpoints, str | Path) else checkpoints
    if not isinstance(result, SteadyPoints):
        raise ParameterError(
            f"{result!r} is no points of checkpoints: give the .npz that `crosslens checkpoints A B --data DATA "
            "-o x.npz` wrote"
        )
    return result


def _facts(plane: Plane) -> tuple[Any, ...]:
    shape = None if plane.rows is None else plane.rows.shape
    return plane.title, plane.layer, array_digest(plane.points), shape, plane.units, plane.steady


class _Laid:
    """All planes in one layout, computed once, for the first file that is missing."""

    def __init__(self, planes: Sequence[Plane], labels: Sequence[str]) -> None:
        self._planes, self._labels = planes, labels

    @cached_property
    def _together(self) -> list[tuple[Plane, np.ndarray[Any, Any]]]:
        planes = together(self._planes, self._labels)
        return list(zip(planes, normalised([each.points for each in planes]), strict=True))

    def page(self, number: int) -> Mapping[str, Any]:
        """The `Points` of data.ts."""
        plane, points = self._together[number]
        units = strongest_units(plane.rows) if plane.units and plane.rows is not None and plane.layer else None
        return {
            "x": encoded_floats(points[:, 0]),
            "y": encoded_floats(points[:, 1]),
            "strongest": None if units is None else b64encode(units.astype("<u2").tobytes()).decode(),
            "count": COUNT,
            "quality": plane.quality,
            "notes": list(plane.notes),
        }
