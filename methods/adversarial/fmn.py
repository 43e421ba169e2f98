"""FMN (Pintor et al., 2021, "Fast minimum-norm adversarial attacks", https://arxiv.org/abs/2102.12827)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.attack import AttackMethod, Evaluation, Problem
from crosslens.attack.ball import Region, per_image
from crosslens.attack.projection import norm_of
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import Margin
from crosslens.plugins.hookspecs import hookimpl

DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}
"""The norm of the gradient that goes with each norm of the change."""
BEYOND = 1e-6
"""How far beyond the boundary the radius goes at first: rounding must not leave a picture on it."""
LEAST_GAMMA = 0.001
"""What gamma falls to."""

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class FMN(AttackMethod):
    """Fool a network by the least change in a norm.

    Algorithm 1 of the paper: steps of length alpha up the gradient of the margin, projected onto a ball whose radius
    follows the boundary: eps = |d| + margin / |gradient|_q before the first success, then eps (1 + gamma) after a
    picture that fails and min(eps (1 - gamma), the least |d| so far) after one that succeeds. alpha and gamma fall by
    half a cosine. The projection is the exact one onto ball and bounds together.
    """

    name = "fmn"
    aliases: ClassVar[Mapping[str, str]] = {
        "fast_minimum_norm": "",
        "l2_fmn": "",
        "linf_fmn": "norm='linf'",
        "l1_fmn": "norm='l1'",
        "l0_fmn": "norm='l0'",
    }
    example: ClassVar = {"steps": 4}
    norm: str = param("l2", "norm of the distance; l0 counts pixels", choices=("linf", "l2", "l1", "l0"))
    steps: int = param(100, "steps", minimum=1)
    step_size: float = param(1.0, "alpha, the L2 length of the first step, in the unit of [0, 1]", above=0)
    last_step_size: float | None = param(None, "alpha of the last step; a hundredth of the first if not given", above=0)
    gamma: float = param(0.05, "share by which the radius changes at first; it falls to 0.001", above=0, below=1)
    presets: ClassVar = {"foolbox": Preset({}, doc="L2FMNAttack; its projection in L2 does nothing (3.3.4), ours does")}

    @property
    def distance_norm(self) -> str:
        return self.norm

    def search(self, problem: Problem, progress: Progress) -> Any:
        rows, count = np.flatnonzero(problem.distance > 0), len(problem.aim)
        if not len(rows):
            return
        images = problem.of(rows)
        x, eps = images, np.full(len(rows), 1.0 if self.norm == "l0" else np.inf)
        widest = self._widest(problem, images)
        for number in range(self.steps):
            at = problem.gradient(x, rows, Margin, scaled=False)
            success = problem.offer(x, rows, at.logits)
            boundary = self._boundary(images, x, at)
            eps = np.minimum(self._radius(eps, success, problem.distance[rows], boundary, number), widest)
            x = self._inside(problem, images, x + self._step(like(at.gradient, x), number), eps)
            fooled = int(np.isfinite(problem.distance).sum())
            progress(number + 1, self.steps, f"{fooled} of {count} fooled")
        problem.offer(x, rows, problem.logits(x, rows))

    def _annealed(self, first: float, last: float, number: int) -> float:
        return float(last + (first - last) * (1 + np.cos(np.pi * number / self.steps)) / 2)

    def _step(self, gradient: Array, number: int) -> Array:
        last = self.step_size / 100 if self.last_step_size is None else self.last_step_size
        size = norm_of(gradient, "l2")
        length = self._annealed(self.step_size, last, number) / np.where(size > 0, size, 1.0)
        return gradient * like(per_image(length, gradient), gradient)

    def _radius(self, eps: Values, success: Values, least: Values, boundary: Values, number: int) -> Values:
        """The next radii (n,): from these, whether the pictures succeed, the least distance so far, and `_boundary`."""
        gamma = self._annealed(self.gamma, LEAST_GAMMA, number)
        if self.norm == "l0":
            down = np.minimum(np.minimum(eps - 1, np.floor(eps * (1 - gamma))), least)
            up = np.maximum(eps + 1, np.floor(eps * (1 + gamma)))
            return np.asarray(np.maximum(np.where(success, down, up), 1))
        failed = np.where(np.isfinite(least), eps * (1 + gamma), boundary)
        return np.asarray(np.where(success, np.minimum(eps * (1 - gamma), least), failed))

    def _boundary(self, images: Array, x: Array, at: Evaluation) -> Values:
        """(n,): how far away the boundary is, by the linearised network; infinite where there is no gradient."""
        if self.norm == "l0":
            return np.full(len(at.losses), np.inf)
        slope = norm_of(at.gradient, DUAL[self.norm])
        ahead = np.divide(np.abs(at.losses), slope, out=np.full(len(slope), np.inf), where=slope > 0)
        return np.asarray(norm_of(x - images, self.norm) + ahead + BEYOND)

    def _inside(self, problem: Problem, images: Array, x: Array, eps: Values) -> Array:
        if self.norm == "l0":
            return nearest_in_l0(images, x, eps, problem.bounds)
        return Region(images, self.norm, eps, problem.bounds).project(x)

    def _widest(self, problem: Problem, images: Array) -> Values:
        """(n,): no picture within the bounds is further away."""
        if problem.bounds is None:
            return np.full(images.shape[0], np.inf)
        xp, (low, high) = namespace(images), problem.bounds
        return norm_of(xp.maximum(images - low, high - images), self.norm)


def nearest_in_l0(images: Array, x: Array, count: Values, bounds: tuple[float, float] | None) -> Array:
    """The nearest pictures that differ from images in few pixels each.

    Args:
        images: (n, C, H, W).
        x: pictures of their shape.
        count: (n,), the most pixels of each that may differ.
        bounds: the least and the largest value; None for no limit.
    """
    xp = namespace(x)
    x = x if bounds is None else xp.clip(x, *bounds)
    size = xp.reshape(xp.sum((x - images) ** 2, axis=1), (x.shape[0], -1))
    rank = xp.argsort(xp.argsort(-size, axis=1, stable=True), axis=1, stable=True)
    kept = xp.astype(rank, xp.float64) < per_image(count, size)
    return xp.where(xp.reshape(kept, (x.shape[0], 1, *x.shape[2:])), x, images)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FMN]
