"""The result of an attack: each image's best picture, what the network says of it, and what must be said beside."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Array, namespace
from ..execution.batching import forward_limit, slices
from .adversarial import Adversarial
from .ball import take_rows
from .problem import Problem
from .projection import distance_of

__all__ = ["adversarial_result"]

Values = np.ndarray[Any, Any]


def adversarial_result(problem: Problem, history: Values | None = None) -> Adversarial:
    """What has been found; those that succeed are rounded to 8 bits and looked at again, which no attack counts.

    Args:
        problem: after the search.
        history: the least margin of each image at each step, (steps, N); None where none was kept.
    """
    aim, rows = problem.aim, np.arange(len(problem.aim))
    both = [problem.clean, _after(problem)]
    success = np.isfinite(problem.distance)
    chances = [aim.probabilities(logits) for logits in both]
    classes = np.stack([logits.argmax(axis=1) for logits in both], axis=1)
    result = Adversarial(
        images=problem.best,
        starts=problem.images,
        history=history,
        norm=problem.norm,
        success=success,
        distance=distance_of(problem.best, problem.images, problem.norm),
        leave=aim.leave,
        reach=np.full(len(rows), -1) if aim.reach is None else aim.reach,
        classes=classes,
        confidence=np.stack([p[rows, k] for p, k in zip(chances, classes.T, strict=True)], axis=1),
        leave_confidence=np.stack([p[rows, aim.leave] for p in chances], axis=1),
        queries=problem.queries.copy(),
        gradients=problem.gradients.copy(),
        survives_8_bit=_succeeds_in_8_bit(problem, success),
        zero_gradient=problem.flat.copy(),
        no_start=problem.no_start.copy(),
        labels=tuple(aim.spec.names(problem.model.labels)),
    )
    return replace(result, notes=result.own_notes())


def _after(problem: Problem) -> Values:
    """The logits of all classes of the best pictures, (N, classes); the network is asked for those not known yet."""
    known = np.isfinite(problem.logits_of_best).all(axis=1)
    if problem.aim.apart or not known.any():
        return np.asarray(_class_logits(problem, problem.best))
    logits, rows = problem.logits_of_best.copy(), np.flatnonzero(~known)
    if len(rows):
        logits[rows] = _class_logits(problem, take_rows(problem.best, rows))
    return logits


def _class_logits(problem: Problem, x: Array) -> Any:
    parts = []
    for start, stop in slices(x.shape[0], forward_limit(problem.model)):
        parts.append(problem.aim.class_logits(problem.model.forward(x[start:stop, ...], [problem.aim.layer])))
    return np.concatenate(parts)


def _succeeds_in_8_bit(problem: Problem, success: Values) -> Values:
    """Whether the pictures that succeed still do when rounded to whole numbers of 255ths of the bounds."""
    rows = np.flatnonzero(success)
    if problem.bounds is None or not len(rows):
        return success
    x, (low, high) = take_rows(problem.best, rows), problem.bounds
    xp = namespace(x)
    rounded = xp.astype(xp.round((x - low) / (high - low) * 255) / 255 * (high - low) + low, x.dtype)
    aim, survives = problem.aim.rows(rows), np.zeros(len(success), bool)
    survives[rows] = aim.succeeded(aim.deciding(_class_logits(problem, rounded)))
    return survives
