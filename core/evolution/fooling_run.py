"""One run of a search for fooling images, from the start or from a file, and its result with notes."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array
from ..errors import ParameterError
from ..execution.batching import forward_limit, slices
from ..execution.progress import Progress
from ..files.kept_results import keep_result
from ..model.base import Model
from ..optim.base import State
from ..optim.loop import Run
from ..synthesis.checkpoint import MAY_DIFFER, join_snapshots, load_checkpoint, saved_state
from ..synthesis.jobs import interruption
from ..synthesis.picture_method import PictureMethod
from .confidence import Confidence
from .fooling_images import FoolingImages
from .map_elites import MapElites
from .search import Search, run_search

__all__ = ["run_fooling"]

Values: TypeAlias = np.ndarray[Any, Any]

LARGEST_SNAPSHOTS = 8 << 30
"""Bytes that the pictures kept on the way may take."""
UNSURE = 0.5
NAMED = 8
"""Classes that a note names."""


def run_fooling(method: PictureMethod, model: Model, search: Search, progress: Progress) -> FoolingImages:
    """Search, and give the best picture of each class.

    Args:
        method: says how long, and what to resume.
        model: whose classes are meant.
        search: what is run.
        progress: told after each generation.

    Raises:
        ParameterError: the file to resume is of another run, or that run is finished; or `every` keeps too much.
        KeyboardInterrupt: interrupted before a generation was done.
    """
    _check_snapshots(method, search)
    may_differ = MAY_DIFFER | {"confidence"}
    objective = _objective(search.classes, model.output.count)
    checkpoint = load_checkpoint(method, model, objective, np.zeros(1), None, may_differ)

    def result(run: Run, snapshots: dict[int, Array]) -> FoolingImages:
        return _fooling_images(run, join_snapshots(checkpoint.snapshots, snapshots), model, search, method.steps)

    def so_far(run: Run, snapshots: dict[int, Array]) -> None:
        keep_result(lambda: result(run, snapshots))

    return result(*run_search(search, method.steps, method.every, progress, checkpoint, so_far))


def _fooling_images(
    run: Run, snapshots: Mapping[int, Array], model: Model, search: Search, steps: int
) -> FoolingImages:
    """The best picture of each class.

    Args:
        run: how far it got.
        snapshots: the pictures on the way.
        model: whose classes are meant.
        search: what was run.
        steps: how many were asked for.
    """
    objective = _objective(search.classes, model.output.count)
    pictures = search.pictures(run.state)
    rounded = _confidence_8_bit(search.confidence, search.classes, pictures)
    labels = model.output.names(model.labels)
    sizes = _sizes(search, run.state)
    return FoolingImages(
        images=pictures,
        history=run.history,
        snapshots=snapshots,
        state=saved_state([run]),
        classes=search.classes,
        confidence=search.reached(run.state),
        confidence_8_bit=rounded,
        generation=search.made(run.state),
        labels=tuple(labels[c] for c in search.classes) if labels else (),
        provenance={"objective": objective},
        notes=_notes(run, search, steps, rounded),
        nodes=sizes.get("nodes"),
        connections=sizes.get("connections"),
    )


def _objective(classes: Values, count: int) -> str:
    """What is searched for, in words."""
    if list(classes) == list(range(count)):
        return f"probability(each of {count} classes)"
    return f"probability({', '.join(map(str, classes))})"


def _check_snapshots(method: PictureMethod, search: Search) -> None:
    """Refuse to keep more pictures than fit into memory."""
    count = method.steps // method.every if method.every else 0
    one = 4 * len(search.classes) * prod(search.picture_shape)
    if count * one > LARGEST_SNAPSHOTS:
        least = -(-method.steps * one // LARGEST_SNAPSHOTS)
        raise ParameterError(
            f"every is {method.every}, which keeps {len(search.classes)} pictures {count} times, "
            f"{count * one / 2**30:.0f} GB; give every={least} or more, or fewer classes"
        )


def _confidence_8_bit(confidence: Confidence, classes: Values, pictures: Array) -> Values:
    """Of the pictures rounded to 256 levels."""
    rounded = np.rint(pictures * 255) / np.float32(255)
    model = confidence.model
    parts = [
        confidence.values(model.placed(rounded[start:stop]))[np.arange(stop - start), classes[start:stop]]
        for start, stop in slices(len(rounded), forward_limit(model))
    ]
    return np.concatenate(parts)


def _sizes(search: Search, state: State) -> dict[str, Values]:
    """Nodes and connections of each genome, where they differ."""
    if not isinstance(search, MapElites):
        return {}
    figures = [search.genomes.figures(genome) for genome in search.wanted_genomes(state)]
    return {name: np.asarray([each[name] for each in figures]) for name in figures[0]}


def _notes(run: Run, search: Search, steps: int, rounded: Values) -> tuple[str, ...]:
    """Where the work ended, which classes the network is not sure of, and what rounding to 8 bits changes."""
    sure, done = search.reached(run.state), run.state.step
    reached = int((sure >= search.goal).sum())
    notes = [
        *interruption([run], 1, steps),
        f"after {done} of at most {steps} steps {reached} of {len(sure)} pictures have confidence {search.goal:g}",
    ]
    if search.stuck:
        notes.append(f"no gradient for {_listed(search.stuck)}: nothing near the picture moves it; take another start")
    unsure = [int(c) for c in search.classes[sure < UNSURE] if c not in search.stuck]
    if unsure:
        notes.append(f"confidence below {UNSURE:g} for {_listed(unsure)}: more steps may find more")
    lost = [int(c) for c in search.classes[(sure >= UNSURE) & (rounded < UNSURE)]]
    if lost:
        notes.append(
            f"rounded to 8 bits, as .png holds pictures, the confidence falls below {UNSURE:g} for {_listed(lost)}"
        )
    return tuple(notes)


def _listed(classes: Sequence[int]) -> str:
    """Classes in words."""
    named = ", ".join(map(str, classes[:NAMED]))
    more = f" and {len(classes) - NAMED} more" * (len(classes) > NAMED)
    return f"class{'es' * (len(classes) > 1)} {named}{more}"
