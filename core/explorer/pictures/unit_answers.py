"""What the units of each layer answer to one picture: the strongest, and those that stand out at each position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...errors import LayerError
from ...model.base import Model
from ...model.layout import patch_grid
from ..book import Book
from ..network.survey_facts import statistics_of

__all__ = ["LayerScale", "answers_as_maps", "dictionary", "layer_scales", "strongest"]

Numbers = np.ndarray[Any, Any]
STRONGEST = 8
"""Units of a layer that a picture's page shows."""
AT_POSITION = 4
"""Units that stand out at a position."""
FINEST = 16
"""Rows and columns of a dictionary at most; of finer maps the largest value of each cell counts."""


@dataclass(frozen=True)
class LayerScale:
    """The mean and deviation of each unit of a layer over the data, (units,)."""

    mean: Numbers
    deviation: Numbers

    def scores(self, values: Numbers) -> Numbers:
        """(units, ...) in deviations from the unit's mean; 0 of a unit that does not vary."""
        shape = (-1, *[1] * (values.ndim - 1))
        mean, deviation = self.mean.reshape(shape), self.deviation.reshape(shape)
        return np.asarray(np.divide(values - mean, deviation, out=np.zeros(values.shape), where=deviation > 0))


def layer_scales(book: Book) -> Mapping[str, LayerScale]:
    """By layer, of those that the survey's unit_statistics cover."""
    known = {layer: statistics_of(book, layer) for layer in book.layers}
    return {layer: LayerScale(each["mean"], each["deviation"]) for layer, each in known.items() if each}


def answers_as_maps(model: Model, layer: str, values: Any) -> Numbers:
    """The activations of one image at a layer as (units, h, w): tokens on their grid, vectors as one position."""
    own: Numbers = as_numpy(values)[0]
    if own.ndim == 3:
        return own
    if own.ndim == 1:
        return own[:, None, None]
    height, width = model.input.example_shape[-2:]
    try:
        rows, columns = patch_grid(len(own), (height, width))
    except LayerError:
        rows, columns = 1, len(own)
    return own[len(own) - rows * columns :].T.reshape(-1, rows, columns)


def strongest(maps: Numbers, scale: LayerScale | None) -> Sequence[Mapping[str, Any]]:
    """The units of one layer that stand out most in a picture, as `StrongUnit`s of data.ts.

    By how many deviations a unit's largest value lies above its mean over the data, where that is known; else by the
    value. A unit that is nowhere above zero is none.

    Args:
        maps: (units, h, w).
        scale: of the layer.
    """
    flat = maps.reshape(len(maps), -1)
    places = flat.argmax(axis=1)
    values = flat[np.arange(len(flat)), places]
    scores = values if scale is None else scale.scores(values)
    order = [unit for unit in np.argsort(-scores, kind="stable")[:STRONGEST].tolist() if scores[unit] > 0]
    rows, columns = np.unravel_index(places, maps.shape[1:])
    height, width = maps.shape[1:]
    several = flat.shape[1] > 1
    return [
        {
            "unit": unit,
            "value": float(values[unit]),
            "place": [(int(rows[unit]) + 0.5) / height, (int(columns[unit]) + 0.5) / width] if several else None,
            "score": None if scale is None else float(scores[unit]),
        }
        for unit in order
    ]


def dictionary(maps: Numbers, scale: LayerScale | None) -> Mapping[str, Any]:
    """The units that stand out at each position of a layer with maps, less its `layer`: a `Dictionary` of data.ts.

    Args:
        maps: (units, h, w).
        scale: of the layer.
    """
    cells = _coarse(maps)
    rows, columns = cells.shape[1:]
    values = cells.reshape(len(cells), -1)
    scores = values if scale is None else scale.scores(values)
    order = np.argsort(-scores, axis=0, kind="stable")[:AT_POSITION]
    chosen = [[unit for unit in order[:, at].tolist() if scores[unit, at] > 0] for at in range(rows * columns)]
    return {
        "rows": rows,
        "columns": columns,
        "units": chosen,
        "values": [[_rounded(values[unit, at]) for unit in units] for at, units in enumerate(chosen)],
        "scores": None
        if scale is None
        else [[_rounded(scores[unit, at]) for unit in units] for at, units in enumerate(chosen)],
    }


def _coarse(maps: Numbers) -> Numbers:
    """(units, rows, columns) with at most `FINEST` rows and columns: the largest value of each cell."""
    for axis in (1, 2):
        size = maps.shape[axis]
        if size > FINEST:
            edges = np.linspace(0, size, FINEST + 1).astype(int)[:-1]
            maps = np.maximum.reduceat(maps, edges, axis=axis)
    return maps


def _rounded(value: Any) -> float:
    return float(f"{float(value):.4g}")
