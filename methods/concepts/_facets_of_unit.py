"""The facets of one unit: its examples read again, embedded, grouped, and averaged."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy, namespace
from crosslens.data import Source, State
from crosslens.errors import ImageError
from crosslens.execution.batching import forward_limit, slices
from crosslens.execution.progress import Progress
from crosslens.image.false_colour import pixels
from crosslens.model import Model
from crosslens.model.reduction import positions_first
from crosslens.sheets.cut_out import shrunk

from ._facet_clusters import clusters, reduced_rows

__all__ = ["FacetRecipe", "FacetsOfUnit", "facets_of_unit"]

Numbers = np.ndarray[Any, Any]
SHOWN = 8
"""Examples of a facet that are kept for the sheet."""
SIDE = 96
"""Pixels of their longer side."""


@dataclass(frozen=True)
class FacetRecipe:
    """How a unit's examples become facets."""

    space: str
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
    model: Model, source: Source, state: State, unit: int, recipe: FacetRecipe, progress: Progress
) -> FacetsOfUnit:
    """The facets of a unit.

    Args:
        model: the network.
        source: its images, read again.
        state: of `TopPositions` of the unit's layer.
        unit: which.
        recipe: what is asked for.
        progress: told after each batch of images.

    Raises:
        ImageError: an example cannot be read again, or they are of several sizes.
        ParameterError: scikit-learn is not installed.
    """
    members = state["image"][unit]
    places = members[members >= 0]
    embedded, images = _embedded(model, source, places, recipe.space, progress)
    found = clusters(reduced_rows(embedded, recipe.reduction, recipe.seed), recipe.facets, recipe.seed, places)
    chosen = [each.members for each in found]
    facet_of = np.full(len(members), -1, np.int64)
    for number, rows in enumerate(chosen):
        facet_of[rows] = number
    sizes = np.array([len(rows) for rows in chosen], np.int64)
    few = f"unit {unit} has {len(found)} facets, not {recipe.facets}: so few of its examples differ"
    return FacetsOfUnit(
        unit=unit,
        sizes=sizes,
        shares=sizes / len(places),
        values=np.array([state["value"][unit][rows].mean(dtype=np.float64) for rows in chosen]),
        spreads=np.array([each.spread for each in found]),
        shown=np.minimum(sizes, SHOWN),
        nearest=np.array([source.ids[int(places[rows[0]])] for rows in chosen]),
        means=np.stack([_mean(model, images[rows[: recipe.nearest]]) for rows in chosen]),
        centroids=np.stack([embedded[rows].mean(axis=0, dtype=np.float64) for rows in chosen]).astype(np.float32),
        examples=np.stack([_thumbnails(model, images[rows[:SHOWN]]) for rows in chosen]),
        members=members,
        facet_of=facet_of,
        notes=(few,) * (len(found) < recipe.facets),
    )


def _embedded(model: Model, source: Source, places: Numbers, space: str, progress: Progress) -> tuple[Numbers, Numbers]:
    """The embeddings (N, D) of images at places of a source, averaged over positions, and these images."""
    rows, kept = list[Numbers](), list[Numbers]()
    for start, stop in slices(len(places), forward_limit(model)):
        read = [_read(model, source, int(place)) for place in places[start:stop]]
        if len(sizes := {tuple(each.shape[1:]) for each in (*read, *kept[:1])}) > 1:
            raise ImageError(
                f"facets are averages of pictures, which must be of one size; received {_sizes(sizes)}. Say how they "
                "are fitted: crosslens.data(folder, resize=...)"
            )
        batch = namespace(read[0]).concat(read, axis=0)
        activations = model.forward(batch, [space])[space]
        rows.append(positions_first(activations).mean(axis=1, dtype=np.float64).astype(np.float32))
        kept.append(as_numpy(batch))
        progress(stop, len(places), "examples embedded")
    return np.concatenate(rows), np.concatenate(kept)


def _read(model: Model, source: Source, place: int) -> Any:
    samples = source.read(place, place + 1, model)
    if samples.failures:
        failure = samples.failures[0]
        raise ImageError(f"the example {failure.id!r} cannot be read again: {failure.reason}")
    return samples.images


def _sizes(shapes: Iterable[tuple[int, ...]]) -> str:
    return " and ".join(f"{height} x {width}" for _, height, width in sorted(shapes)[:2])


def _mean(model: Model, images: Numbers) -> Numbers:
    return np.asarray(model.input.to_unit(images.mean(axis=0, dtype=np.float64)), np.float32).clip(0, 1)


def _thumbnails(model: Model, images: Numbers) -> Numbers:
    bounds = model.input.bounds or (0.0, 1.0)
    drawn = np.stack([shrunk(pixels(each, bounds), SIDE) for each in images])
    padded = np.zeros((SHOWN, *drawn.shape[1:]), np.uint8)
    padded[: len(drawn)] = drawn
    return padded
