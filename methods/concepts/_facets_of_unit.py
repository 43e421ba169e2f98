"""The facets of one unit: the embeddings of its examples grouped, and the pictures of each group averaged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Source, State
from crosslens.errors import ImageError
from crosslens.execution.progress import Progress
from crosslens.image.false_colour import pixels
from crosslens.model import Model
from crosslens.result.display import counted
from crosslens.sheets.cut_out import shrunk

from ._facet_clusters import clusters, reduced_rows

__all__ = ["FacetRecipe", "FacetsOfUnit", "facets_of_unit", "refuse_sizes"]

Numbers = np.ndarray[Any, Any]
SHOWN = 8
"""Examples of a facet that are kept for the sheet."""
SIDE = 96
"""Pixels of their longer side."""


@dataclass(frozen=True)
class FacetRecipe:
    """How units' examples become facets."""

    units: tuple[int, ...]
    facets: int
    reduction: str
    nearest: int
    seed: int


@dataclass(frozen=True)
class FacetsOfUnit:
    """The facets of a unit, K of them; see `crosslens.concepts.facets.Facets`."""

    unit: int
    sizes: Numbers
    shares: Numbers
    values: Numbers
    spreads: Numbers
    shown: Numbers
    nearest: Numbers
    means: Numbers
    centroids: Numbers
    examples: Numbers
    members: Numbers
    facet_of: Numbers
    notes: tuple[str, ...]


def facets_of_unit(
    model: Model, source: Source, state: State, row: int, recipe: FacetRecipe, progress: Progress
) -> FacetsOfUnit:
    """The facets of a unit.

    Args:
        model: the network.
        source: its images, of which those that are shown or averaged are read again.
        state: of `ExampleFeatures`.
        row: of the unit in that.
        recipe: what is asked for.
        progress: told after each facet.

    Raises:
        ImageError: an example cannot be read again, or they are of several sizes.
        ParameterError: scikit-learn is not installed.
    """
    members, unit = state["image"][row], recipe.units[row]
    places = members[members >= 0]
    embedded = state["rows"][np.searchsorted(state["index"], places)]
    reduced, layout_notes = reduced_rows(embedded, recipe.reduction, recipe.seed)
    found = clusters(reduced, recipe.facets, recipe.seed, places)
    chosen = [each.members for each in found]
    facet_of = np.full(len(members), -1, np.int64)
    means, examples = [], []
    for number, rows in enumerate(chosen):
        facet_of[rows] = number
        images = _images(model, source, places[rows[: max(recipe.nearest, SHOWN)]])
        means.append(_mean(model, images[: recipe.nearest]))
        examples.append(_thumbnails(model, images[:SHOWN]))
        progress(number + 1, len(found), "facets averaged")
    refuse_sizes(means)
    sizes = np.array([len(rows) for rows in chosen], np.int64)
    few = f"unit {unit} has {counted(len(found), 'facet')}, not {recipe.facets}: so few of its examples differ"
    values = state["value"][row][: len(places)]
    tied = int((values == values.min()).sum())
    alike = (
        f"{tied} of the {len(values)} examples of unit {unit} have one answer, {values.min():.4g}: they are the first "
        "images that have it, not what excites the unit most"
    )
    return FacetsOfUnit(
        unit=unit,
        sizes=sizes,
        shares=sizes / len(places),
        values=np.array([state["value"][row][rows].mean(dtype=np.float64) for rows in chosen]),
        spreads=np.array([each.spread for each in found]),
        shown=np.minimum(sizes, SHOWN),
        nearest=np.array([source.ids[int(places[rows[0]])] for rows in chosen]),
        means=np.stack(means),
        centroids=np.stack([embedded[rows].mean(axis=0, dtype=np.float64) for rows in chosen]).astype(np.float32),
        examples=np.stack(examples),
        members=members,
        facet_of=facet_of,
        notes=(*layout_notes, *(few,) * (len(found) < recipe.facets), *(alike,) * (tied > 1)),
    )


def _images(model: Model, source: Source, places: Numbers) -> Numbers:
    """Images at places of a source, read again, (n, C, H, W)."""
    read = []
    for place in places:
        samples = source.read(int(place), int(place) + 1, model)
        if samples.failures:
            failure = samples.failures[0]
            raise ImageError(f"the example {failure.id!r} cannot be read again: {failure.reason}")
        read.append(as_numpy(samples.images))
    refuse_sizes(read)
    return np.concatenate(read)


def refuse_sizes(pictures: Sequence[Numbers]) -> None:
    """Refuse pictures (..., H, W) of more than one size."""
    if len(sizes := sorted({each.shape[-2:] for each in pictures})) > 1:
        raise ImageError(
            "facets are averages of pictures, which must be of one size; received "
            f"{' and '.join(f'{height} x {width}' for height, width in sizes[:2])}. Say how they are fitted: "
            "crosslens.data(folder, resize=...)"
        )


def _mean(model: Model, images: Numbers) -> Numbers:
    return np.asarray(model.input.to_unit(images.mean(axis=0, dtype=np.float64)), np.float32).clip(0, 1)


def _thumbnails(model: Model, images: Numbers) -> Numbers:
    bounds = model.input.bounds or (0.0, 1.0)
    drawn = np.stack([shrunk(pixels(each, bounds), SIDE) for each in images])
    padded = np.zeros((SHOWN, *drawn.shape[1:]), np.uint8)
    padded[: len(drawn)] = drawn
    return padded
