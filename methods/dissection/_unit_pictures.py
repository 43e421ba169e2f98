"""The pictures of units: images with their largest values are read again, each once, and their masks outlined."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Samples, Source, State
from crosslens.dissection.basis import maps_of
from crosslens.dissection.dissection import Dissection
from crosslens.dissection.enlargement import Enlarger
from crosslens.dissection.field_spans import even_spans, field_spans
from crosslens.dissection.label_planes import planes_of
from crosslens.dissection.outlines import outlined
from crosslens.dissection.overlaps import masks_of
from crosslens.execution.progress import Progress
from crosslens.image.false_colour import pixels
from crosslens.model import Model

__all__ = ["Pictured", "best_units", "pictured_units", "unit_pictures", "with_pictures"]

Numbers = np.ndarray[Any, Any]
SAME = 1e-5
"""Share of a threshold by which a value of an image alone may round otherwise than in the sweep's batches: the value
that is the threshold itself stays outside of the mask."""
Place = tuple[str, int, int]
"""The layer, the place of the unit among those pictured, and the rank of the image."""


@dataclass(frozen=True)
class Pictured:
    """Of a layer: the units that get pictures, the number of each one's concept, thresholds, and their images."""

    units: tuple[int, ...]
    concepts: Sequence[int]
    """Counted from 1; 0 for none."""
    thresholds: Numbers
    """(U,), of all units."""
    images: Numbers
    """(S, n): places in the source, -1 for none."""
    values: Numbers
    """(S, n): the unit's largest value in each."""


def best_units(result: Dissection, layer: str, count: int) -> tuple[int, ...]:
    """Of each concept of a layer the unit that fits it best, the best first; then the others, the best first."""
    rows = result.rows_of(layer)
    scores = as_numpy(result.columns["iou"])[rows]
    order = np.argsort(-scores, kind="stable")
    kinds = zip(
        *(as_numpy(result.columns[name])[rows[order]].tolist() for name in ("category", "concept")), strict=True
    )
    first = {kind: unit for kind, unit in reversed(list(zip(kinds, order.tolist(), strict=True))) if kind != ("", "")}
    chosen = sorted(first.values(), key=order.tolist().index)
    return tuple(dict.fromkeys((*chosen, *order.tolist())))[:count]


def pictured_units(
    result: Dissection,
    units: Mapping[str, tuple[int, ...]],
    thresholds: Mapping[str, Numbers],
    tops: Mapping[str, State],
) -> Mapping[str, Pictured]:
    """By layer, what is needed for the pictures of units.

    Args:
        result: with the scores.
        units: by layer, those that get pictures.
        thresholds: by layer, of all units.
        tops: by layer, the state of `TopPositions`.
    """
    found = {}
    for layer, chosen in units.items():
        scores = as_numpy(result.ious)[result.rows_of(layer)][list(chosen)]
        concepts = np.where(scores.max(axis=1) > 0, scores.argmax(axis=1) + 1, 0).tolist()
        images, values = (tops[layer][name][list(chosen)] for name in ("image", "value"))
        found[layer] = Pictured(chosen, concepts, thresholds[layer], images, values)
    return found


def with_pictures(result: Dissection, pictures: Mapping[str, Numbers], pictured: Mapping[str, Pictured]) -> Dissection:
    """The result with the pictures of its units."""
    answers = {layer: np.where(each.images >= 0, each.values, np.nan) for layer, each in pictured.items()}
    units = {layer: each.units for layer, each in pictured.items()}
    return replace(result, pictured=units, pictures=pictures, answers=answers)


def unit_pictures(
    asked: Mapping[str, Pictured], model: Model, source: Source, enlarge: str, progress: Progress
) -> Mapping[str, Numbers]:
    """By layer, (S, n, h, w, 3), uint8; white where there is no image.

    Args:
        asked: by layer.
        model: the network.
        source: the images.
        enlarge: how maps are enlarged.
        progress: called after each image.
    """
    wanted: dict[int, list[Place]] = defaultdict(list)
    for layer, each in asked.items():
        for slot, rank in np.argwhere(each.images >= 0).tolist():
            wanted[int(each.images[slot, rank])].append((layer, slot, rank))
    found: dict[Place, Numbers] = {}
    for done, (index, places) in enumerate(sorted(wanted.items()), 1):
        samples = source.read(index, index + 1, model)
        if samples.ids:
            found |= _drawn(asked, model, samples, enlarge, places)
        progress(done, len(wanted), "pictures")
    shape = np.max([each.shape for each in found.values()], axis=0) if found else (1, 1, 3)
    made = {layer: np.full((*each.images.shape, *shape), 255, np.uint8) for layer, each in asked.items()}
    for (layer, slot, rank), drawing in found.items():
        made[layer][slot, rank, : drawing.shape[0], : drawing.shape[1]] = drawing
    return made


def _drawn(
    asked: Mapping[str, Pictured], model: Model, samples: Samples, enlarge: str, places: Sequence[Place]
) -> Mapping[Place, Numbers]:
    """All drawings of one image."""
    picture = (int(samples.images.shape[2]), int(samples.images.shape[3]))
    image = pixels(as_numpy(samples.images)[0], model.input.bounds or (0.0, 1.0))
    layers = sorted({layer for layer, _, _ in places})
    activations = model.forward(samples.images, layers)
    labels = planes_of(samples, 0)
    found = {}
    for layer, slot, rank in places:
        maps, each = maps_of(layer, activations[layer], samples.ids)[0], asked[layer]
        spans = field_spans(model, layer, picture)
        over = Enlarger(enlarge, even_spans(maps.shape[1:], picture) if spans is None else spans, picture)
        unit = each.units[slot]
        size, one = labels.shape[1:], slice(unit, unit + 1)
        mask = np.zeros(size, bool)
        for _, masks in masks_of(maps[one], _above(each.thresholds[one]), size, over):
            mask = masks[0]
        concept = each.concepts[slot]
        found[layer, slot, rank] = outlined(image, mask, (labels == concept).any(axis=0) & (concept > 0))
    return found


def _above(thresholds: Numbers) -> Numbers:
    return np.asarray(thresholds + np.float32(SAME) * np.abs(thresholds))
