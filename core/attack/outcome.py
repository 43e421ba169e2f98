"""The result of an attack: each image's best picture, what the network says of it, and what must be said beside."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..execution.batching import forward_limit, slices
from .adversarial import Adversarial
from .problem import Problem
from .projection import norm_of

__all__ = ["adversarial_result"]

Values = np.ndarray[Any, Any]


def adversarial_result(problem: Problem, history: Values | None = None) -> Adversarial:
    """What has been found; a forward pass of each picture, and one of each rounded to 8 bits, which no attack counts.

    Args:
        problem: after the search.
        history: the least margin of each image at each step, (steps, N); None where none was kept.
    """
    aim, rows = problem.aim, np.arange(len(problem.aim))
    both = [problem.clean, _class_logits(problem, problem.best)]
    success = np.isfinite(problem.distance)
    chances = [aim.probabilities(logits) for logits in both]
    classes = np.stack([logits.argmax(axis=1) for logits in both], axis=1)
    result = Adversarial(
        images=problem.best,
        starts=problem.images,
        history=history,
        norm=problem.norm,
        success=success,
        distance=norm_of(problem.best - problem.images, problem.norm),
        leave=aim.leave,
        reach=np.full(len(rows), -1) if aim.reach is None else aim.reach,
        classes=classes,
        confidence=np.stack([p[rows, k] for p, k in zip(chances, classes.T, strict=True)], axis=1),
        leave_confidence=np.stack([p[rows, aim.leave] for p in chances], axis=1),
        queries=problem.queries.copy(),
        gradients=problem.gradients.copy(),
        survives_8_bit=success & _succeeds_in_8_bit(problem),
        labels=tuple(aim.spec.names(problem.model.labels)),
    )
    return replace(result, notes=tuple(_notes(result, problem)))


def _class_logits(problem: Problem, x: Array) -> Any:
    parts = []
    for start, stop in slices(x.shape[0], forward_limit(problem.model)):
        parts.append(problem.aim.class_logits(problem.model.forward(x[start:stop, ...], [problem.aim.layer])))
    return np.concatenate(parts)


def _succeeds_in_8_bit(problem: Problem) -> Any:
    """Whether the pictures succeed when rounded to whole numbers of 255ths of the bounds."""
    if problem.bounds is None:
        return np.ones(len(problem.aim), bool)
    xp, (low, high) = namespace(problem.best), problem.bounds
    rounded = xp.round((problem.best - low) / (high - low) * 255) / 255 * (high - low) + low
    return problem.aim.succeeded(problem.aim.deciding(_class_logits(problem, xp.astype(rounded, problem.best.dtype))))


def _notes(result: Adversarial, problem: Problem) -> Iterator[str]:
    success, count = as_numpy(result.success), len(result)
    already = problem.aim.succeeded(problem.aim.deciding(problem.clean))
    if already.any():
        wanted = "is what was to be reached" if problem.aim.reach is not None else "is not the one to leave"
        yield f"the class of {int(already.sum())} of {count} images {wanted} before any change"
    flat = problem.flat & ~success
    if flat.any():
        yield (
            f"the gradient was zero at {int(flat.sum())} of {count} images that were not fooled: the network is "
            "saturated, rounded or not differentiable there, and an attack by gradients says nothing about it; square "
            "and boundary need none"
        )
    if not success.all():
        yield (
            f"{int((~success).sum())} of {count} images were not fooled: that this attack at these settings found "
            "nothing does not show that there is nothing; try more steps, restarts, and other attacks"
        )
    lost = success & ~as_numpy(result.survives_8_bit)
    if lost.any():
        yield (
            f"{int(lost.sum())} of {int(success.sum())} pictures that fool do not when rounded to 8 bits, as .png and "
            ".jpg files are; .npz keeps the numbers"
        )
