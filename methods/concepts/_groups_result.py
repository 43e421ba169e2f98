"""The result of `concept_groups`, of what a sweep gathered."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.concepts.neuron_groups import NeuronGroups
from crosslens.data import Source, State
from crosslens.errors import ImageError
from crosslens.model import Model

from ._group_acts import GroupActs

__all__ = ["groups_result", "sample_notes"]

Numbers = np.ndarray[Any, Any]


def sample_notes(state: State, count: int, layer: str) -> list[str]:
    """Whether positions were drawn at random, and whether the layer has a negative part that no group holds."""
    values, notes = state["activation"].astype(np.float64), []
    if len(values) == count:
        notes.append(f"the groups are those of {count} positions drawn at random; masks and effects are of all")
    negative = float(np.square(np.minimum(values, 0)).sum())
    if negative:
        notes.append(
            f"layer {layer!r} has negative activations, {negative / float(np.square(values).sum()):.1%} of all by "
            "their squares: groups are of the positive part, and what the negative part does is in no group"
        )
    return notes


def groups_result(
    model: Model,
    source: Source,
    acts: GroupActs,
    gathered: tuple[Numbers, State],
    error: float,
    pictures: Numbers | None,
    notes: tuple[str, ...],
) -> NeuronGroups:
    """The groups, with the pictures in which they act most, read again.

    Args:
        model: the network.
        source: the pictures.
        acts: what was computed of each.
        gathered: the rows of `GroupRecords`, and the state of `StrongestPictures`.
        error: of the factorisation.
        pictures: one for each group, or None.
        notes: of the result.
    """
    rows, strongest = gathered
    places = strongest["index"]
    score, chosen, total = rows[places, :3].T
    _, effects, removals = _of_groups(rows[places], acts.groups)
    return NeuronGroups(
        layer=acts.layer,
        masks=strongest["rows"],
        factors=acts.matrix,
        pictures=pictures,
        effects=effects,
        removals=removals,
        totals=total,
        scores=score,
        targets=_targets(model, acts, chosen),
        ids=tuple(source.ids[int(place)] for place in places),
        shown_each=strongest["image"].shape[1],
        error=error,
        everywhere=_everywhere(model, source, acts, rows),
        images=np.concatenate([_read(model, source, int(place)) for place in places]),
        notes=notes,
    )


def _of_groups(rows: Numbers, groups: int) -> Sequence[Numbers]:
    """The means of masks, the effects and the removals, (N, groups) each."""
    return [rows[:, 3 + n * groups : 3 + (n + 1) * groups] for n in range(3)]


def _targets(model: Model, acts: GroupActs, classes: Numbers) -> tuple[str, ...]:
    """The target of each picture in words: the label of its class where there is one."""
    names = model.output.names(model.labels)
    return tuple(
        str(acts.target) if number < 0 else names[int(number)] if names else f"class {int(number)}"
        for number in classes.tolist()
    )


def _everywhere(model: Model, source: Source, acts: GroupActs, rows: Numbers) -> Mapping[str, Numbers]:
    """A row for each picture that was read and each group."""
    places = np.flatnonzero(np.isfinite(rows[:, 0]))
    means, effects, removals = (each.ravel() for each in _of_groups(rows[places], acts.groups))
    ids = np.array([source.ids[int(place)] for place in places])
    targets = np.array(_targets(model, acts, rows[places, 1]))
    return {
        "image": np.repeat(ids, acts.groups),
        "group": np.tile(np.arange(1, acts.groups + 1), len(places)),
        "mask": means,
        "effect": effects,
        "removal": removals,
        "score": np.repeat(rows[places, 0], acts.groups),
        "target": np.repeat(targets, acts.groups),
    }


def _read(model: Model, source: Source, place: int) -> Numbers:
    samples = source.read(place, place + 1, model)
    if samples.failures:
        failure = samples.failures[0]
        raise ImageError(f"the picture {failure.id!r} cannot be read again: {failure.reason}")
    return as_numpy(samples.images)
