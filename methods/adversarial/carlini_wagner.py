"""The L2 attack of Carlini and Wagner (2017, https://arxiv.org/abs/1608.04644)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.attack import AttackMethod, Problem
from crosslens.attack.ball import per_image, take_rows
from crosslens.attack.projection import norm_of
from crosslens.errors import ModelError
from crosslens.execution.progress import Progress, part_of
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import Margin
from crosslens.optim.adam import Adam
from crosslens.optim.base import State
from crosslens.plugins.hookspecs import hookimpl

WITHIN = 0.9999
"""Of the way from grey to a bound: where an image at a bound starts, whose own w is infinite."""
PROGRESS = 0.9999
"""A search is over where a tenth of its steps has not brought the loss below this share of what it was."""

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(AttackMethod):
    """Fool a network by the least change in L2.

    Minimises |x' - x|^2 + c max(margin + confidence, 0) over w by Adam, x' = (tanh(w) + 1) / 2, which keeps the bounds;
    the margin is z_y - max_{k != y} z_k, or that of the others over the class to reach. c is searched for, for each
    image: ten times as large until a picture succeeds, then halfway between the largest that fails and the least that
    does not. An image at a bound, whose w is infinite, starts from a finite one, less the difference to x.
    """

    name = "carlini_wagner"
    aliases: ClassVar[Mapping[str, str]] = {
        "cw": "",
        "carlini_l2": "",
        "l2_carlini_wagner": "",
    }
    example: ClassVar = {"searches": 2, "steps": 3}
    searches: int = param(9, "values of c that are tried", minimum=1)
    steps: int = param(100, "steps of Adam for each", minimum=1)
    rate: float = param(0.2, "learning rate of Adam, in w", above=0)
    last_rate: float | None = param(0.002, "rate of the last step, to which it falls by half a cosine", above=0)
    constant: float = param(0.1, "the first c", above=0)
    confidence: float = param(0.0, "kappa, the margin by which a picture is to succeed, in logits", minimum=0)
    abort_early: bool = param(False, "end a search of an image when a tenth of the steps brings no progress")
    presets: ClassVar = {
        "foolbox": Preset(
            {"steps": 10_000, "rate": 0.01, "last_rate": None, "constant": 1e-3, "abort_early": True},
            doc="L2CarliniWagnerAttack; progress is that of each image, there of the batch",
        ),
        "art": Preset(
            {"searches": 10, "steps": 10, "rate": 0.01, "last_rate": None, "constant": 0.01},
            doc="CarliniL2Method; its steps are line searches, ours are Adam's",
        ),
    }

    @property
    def distance_norm(self) -> str:
        return "l2"

    def search(self, problem: Problem, progress: Progress) -> Any:
        if problem.bounds is None:
            raise ModelError("carlini_wagner needs bounds, within which tanh keeps pictures; use fmn or deep_fool")
        rows = np.flatnonzero(problem.distance > 0)
        if not len(rows):
            return
        c, lower, upper = np.full(len(rows), self.constant), np.zeros(len(rows)), np.full(len(rows), np.inf)
        for number in range(self.searches):
            succeeded = self._minimise(problem, rows, c, part_of(progress, number, self.searches))
            upper, lower = np.where(succeeded, c, upper), np.where(succeeded, lower, c)
            c = np.where(np.isinf(upper), c * 10, (lower + upper) / 2)

    def _minimise(self, problem: Problem, rows: Values, c: Values, progress: Progress) -> Values:
        """One search with a c for each of the images `rows`: which of them had a picture that succeeds."""
        succeeded, going = np.zeros(len(rows), bool), np.arange(len(rows))
        state = Adam().start(_origin(problem, problem.of(rows)))
        least, before = np.full(len(rows), np.inf), np.full(len(rows), np.inf)
        for step in range(self.steps):
            losses, gradient, enough = self._loss(problem, state.parameters, rows[going], c[going])
            succeeded[going] |= enough
            least[going] = np.minimum(least[going], losses)
            state = Adam(self._rate(step)).after(state, gradient)
            if self.abort_early and step % -(-self.steps // 10) == 0:
                kept = np.flatnonzero(least[going] <= PROGRESS * before[going])
                before[going] = least[going]
                going = going[kept]
                moments = tuple(take_rows(each, kept) for each in state.moments)
                state = State(take_rows(state.parameters, kept), moments, state.step)
            if not len(going):
                break
            progress(step + 1, self.steps, f"{int(np.isfinite(problem.distance).sum())} of {len(problem.aim)} fooled")
        return succeeded

    def _rate(self, step: int) -> float:
        last = self.rate if self.last_rate is None else self.last_rate
        return float(last + (self.rate - last) * (1 + np.cos(np.pi * step / self.steps)) / 2)

    def _loss(self, problem: Problem, w: Array, rows: Values, c: Values) -> tuple[Values, Array, Values]:
        """The losses (n,), their gradient at `w`, and which pictures succeed by the margin asked for."""
        images, xp, (low, high) = problem.of(rows), namespace(w), problem.bounds or (0.0, 1.0)
        t = xp.tanh(w)
        d = (high - low) / 2 * (t - xp.tanh(_origin(problem, images)))
        x = xp.clip(images + d, low, high)
        at = problem.gradient(x, rows, Margin, scaled=False)
        enough = problem.succeeded(at.logits, rows) & (at.losses >= self.confidence)
        offered = np.flatnonzero(enough | ~problem.succeeded(at.logits, rows))
        problem.offer(take_rows(x, offered), rows[offered], at.logits[offered])
        d, short = x - images, self.confidence - at.losses
        weight = like(per_image(np.where(short > 0, c, 0.0), x), x)
        slope = (2 * d - weight * like(at.gradient, x)) * (high - low) / 2 * (1 - t * t)
        return norm_of(d, "l2") ** 2 + c * np.maximum(short, 0), slope, enough


def _origin(problem: Problem, images: Array) -> Array:
    """The w that images start from."""
    low, high = problem.bounds or (0.0, 1.0)
    return namespace(images).atanh(WITHIN * (2 * (images - low) / (high - low) - 1))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [CarliniWagner]
