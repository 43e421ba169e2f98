"""The loop of attacks by steps: evaluate, keep the best, drop the images that are done, step, and once more."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..execution.progress import Progress
from ..objective.margins import AttackLoss
from .ball import Region, take_rows
from .problem import Evaluation, Problem

__all__ = ["NormedSteps", "StepRule", "climb"]

Values = np.ndarray[Any, Any]


class StepRule(ABC):
    """How a picture becomes the next one. It may remember something of each image between steps."""

    @abstractmethod
    def step(self, region: Region, x: Array, at: Evaluation, number: int) -> Array:
        """The pictures (n, C, H, W) after step `number`, from 0, within the region."""

    @abstractmethod
    def keep(self, rows: Values) -> None:
        """Go on with these of the images, indices among those of the last step."""


class NormedSteps(StepRule):
    """Steps of one length along the steepest direction in the region's norm, or along the mean of the directions.

    With a momentum m the direction is that of g_n = m g_(n-1) + gradient / |gradient|_1 (Dong et al., 2018, eq. 6).
    """

    def __init__(self, size: float, momentum: float = 0.0) -> None:
        self._size, self._momentum = size, momentum
        self._mean: Array = None

    def step(self, region: Region, x: Array, at: Evaluation, number: int) -> Array:
        gradient = like(at.gradient, x)
        if self._momentum:
            gradient = _over_l1(gradient)
            self._mean = gradient if self._mean is None else self._momentum * self._mean + gradient
            gradient = self._mean
        return region.step(x, gradient, self._size)

    def keep(self, rows: Values) -> None:
        self._mean = None if self._mean is None else take_rows(self._mean, rows)


def _over_l1(gradient: Array) -> Array:
    xp, axes = namespace(gradient), tuple(range(1, gradient.ndim))
    size = xp.sum(xp.abs(gradient), axis=axes, keepdims=True)
    return gradient / xp.where(size > 0, size, xp.ones_like(size))


def climb(
    problem: Problem,
    region: Region,
    start: Array,
    rows: Values,
    loss: type[AttackLoss],
    rule: StepRule,
    steps: int,
    progress: Progress,
) -> Values:
    """Take steps from `start` until an image has a picture that succeeds, or the steps are used up.

    Args:
        problem: told of every picture on the way.
        region: where pictures stay, around the images `rows`.
        start: pictures (n, C, H, W) to start from.
        rows: whose they are.
        loss: what is climbed.
        rule: how.
        steps: at most this many.
        progress: told (done, steps, what) after each.

    Returns:
        (steps + 1, N): the least margin of each image of the problem, before each step and after the last.
    """
    x, history = start, []
    for number in range(steps):
        at = problem.gradient(x, rows, loss)
        problem.offer(x, rows, at.logits)
        history.append(problem.margin.copy())
        going_on = np.flatnonzero(np.isinf(problem.distance[rows]))
        if len(going_on) < len(rows):
            x, rows, region = take_rows(x, going_on), rows[going_on], region.rows(going_on)
            at = Evaluation(at.logits[going_on], at.losses[going_on], take_rows(at.gradient, going_on))
            rule.keep(going_on)
        if not len(rows):
            break
        x = rule.step(region, x, at, number)
        progress(number + 1, steps, f"{len(problem.aim) - len(rows)} of {len(problem.aim)} fooled")
    if len(rows):
        problem.offer(x, rows, problem.logits(x, rows))
    last = problem.margin.copy()
    return np.stack([*history, *[last] * (steps + 1 - len(history))])
