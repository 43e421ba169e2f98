"""The rows of a dissection: scores of counts, the best concept of each unit, notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.data import Concepts, State
from crosslens.dissection.basis import Basis
from crosslens.dissection.field_spans import field_spans
from crosslens.dissection.overlaps import ious
from crosslens.model import Model
from crosslens.result.display import counted

__all__ = ["Found", "columns_of", "images_of", "notes_of", "score_matrix"]

Numbers = np.ndarray[Any, Any]
FEW = 500
"""Pictures that have a category, below which chance differs much from one shuffle to another: of 60 that `crosslens
shapes` made, it found 4 to 18 detectors among 96 units, by four seeds."""


@dataclass(frozen=True, eq=False)
class Found:
    """What was counted of one layer along one basis."""

    layer: str
    basis: Basis
    thresholds: Numbers
    state: State


def score_matrix(found: Sequence[Found], concepts: Concepts, prefix: str = "") -> Numbers:
    """IoU (rows, K) of all layers and bases; with the prefix "null_" those with the labels of other pictures."""
    names = [f"{prefix}{name}" for name in ("intersections", "areas", "labelled")]
    return np.concatenate([ious(*[each.state[name] for name in names], concepts=concepts) for each in found])


def columns_of(
    found: Sequence[Found], concepts: Concepts, scores: Numbers, nulls: Numbers | None, minimum: float
) -> Mapping[str, Numbers]:
    """The table's columns; of equal scores the concept of the lowest number counts.

    Args:
        found: by layer and basis.
        concepts: of the source.
        scores: (rows, K).
        nulls: the same by chance, if there are such.
        minimum: above which a unit is a detector.
    """
    best = scores.max(axis=1)
    names, categories = _named(scores, concepts)
    return {
        "layer": np.concatenate([np.full(len(each.thresholds), each.layer) for each in found]),
        "basis": np.concatenate([np.full(len(each.thresholds), each.basis.name) for each in found]),
        "unit": np.concatenate([np.arange(len(each.thresholds)) for each in found]),
        "concept": names,
        "category": categories,
        "iou": best,
        "null_concept": np.full(len(best), "") if nulls is None else _named(nulls, concepts)[0],
        "null_iou": np.full(len(best), np.nan) if nulls is None else nulls.max(axis=1),
        "threshold": np.concatenate([each.thresholds for each in found]),
        "detector": best > minimum,
    }


def _named(scores: Numbers, concepts: Concepts) -> tuple[Numbers, Numbers]:
    """Name and category of each row's best concept; empty where no score is above 0."""
    best, some = scores.argmax(axis=1), scores.max(axis=1) > 0
    return tuple(np.where(some, np.array(each)[best], "") for each in (concepts.names, concepts.categories))  # type: ignore[return-value]


def images_of(found: Sequence[Found], concepts: Concepts) -> Mapping[str, int]:
    """By category, the pictures that have a label of it."""
    return dict(zip(concepts.by_category, found[0].state["images"].tolist(), strict=True))


def notes_of(model: Model, found: Sequence[Found], concepts: Concepts, null: bool) -> tuple[str, ...]:
    """On layers whose place in the picture is assumed, on chance from few pictures, on what no picture has.

    Args:
        model: the network.
        found: by layer and basis.
        concepts: of the source.
        null: whether chance was counted.
    """
    picture = model.input.example_shape[1], model.input.example_shape[2]
    layers = dict.fromkeys(each.layer for each in found)
    even = [
        layer for layer in layers if len(model.layer(layer).shape) == 4 and field_spans(model, layer, picture) is None
    ]
    notes = []
    if even:
        notes.append(
            f"receptive fields do not say where values lie in the picture, which they are taken to cover evenly: "
            f"{', '.join(even)}"
        )
    fewest = min(filter(None, found[0].state["images"].tolist()), default=0)
    if null and 0 < fewest < FEW:
        notes.append(
            f"chance is one shuffle of the labels of only {counted(fewest, 'picture')}: of so few it differs much from "
            "seed to seed; look at some, or give more pictures, before you compare counts with it"
        )
    missing = [concepts.label(n) for n, count in enumerate(found[0].state["labelled"].tolist(), 1) if not count]
    if missing:
        named = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        notes.append(f"no picture has a label of {len(missing)} of {len(concepts)} concepts: {named}")
    idle = [(each, int((each.state["areas"].max(axis=1) == 0).sum())) for each in found]
    notes += [
        f"{count} of {len(each.thresholds)} {each.basis.name} of {each.layer!r} have no mask in any picture that "
        "counts: no value is above their threshold there"
        for each, count in idle
        if count
    ]
    return tuple(notes)
