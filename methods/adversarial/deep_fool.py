"""DeepFool (Moosavi-Dezfooli et al., 2016, https://arxiv.org/abs/1511.04599)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, namespace
from crosslens.attack import AttackMethod, Problem
from crosslens.attack.ball import per_image, take_rows
from crosslens.attack.projection import norm_of, shortest
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import rounding
from crosslens.plugins.hookspecs import hookimpl

DUAL = {"l2": "l2", "linf": "l1"}
"""The norm of the gradient that goes with each norm of the change."""
LEAST = 1e-6
"""The shortest step, in the norm: rounding must not leave a picture on the boundary, which is no success."""
LEAST_SHARE = 0.005
"""The shortest step in overshoots of the way gone so far: bounds cut steps short, which else end ever nearer to it."""
PATIENCE = 4
"""Steps after which the shortest one doubles with each: logits that are rounded, as in int8, are equal over a while."""


@dataclass(frozen=True, kw_only=True)
class DeepFool(AttackMethod):
    """Fool a network by the shortest steps to a boundary.

    Algorithm 2 of the paper: each step goes to the nearest boundary of the linearised network. With f_k = z_y - z_k and
    w_k its gradient, the step to class k is the shortest d with w_k . d = -f_k, of length |f_k| / |w_k|_q; the shortest
    of these is added to r, until x + (1 + overshoot) r, clipped to the bounds, is of another class.
    """

    name = "deep_fool"
    aliases: ClassVar[Mapping[str, str]] = {
        "l2_deep_fool": "",
        "linf_deep_fool": "norm='linf'",
    }
    example: ClassVar = {"steps": 3, "candidates": 3}
    norm: str = param("l2", "norm of the distance", choices=tuple(DUAL))
    steps: int = param(50, "steps at most", minimum=1)
    overshoot: float = param(0.02, "share by which a picture goes beyond the boundary", minimum=0)
    candidates: int = param(10, "classes whose boundaries are looked at, the likeliest and the one to leave", minimum=2)
    within_bounds: bool = param(False, "steps are the shortest that the bounds allow, which saves most of them")
    presets: ClassVar = {
        "foolbox": Preset({"steps": 50}, doc="L2DeepFoolAttack, and LinfDeepFoolAttack with norm='linf'"),
        "art": Preset({"steps": 100, "overshoot": 1e-6}, doc="DeepFool; its epsilon is the overshoot"),
    }

    @property
    def distance_norm(self) -> str:
        return self.norm

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.towards is not None:
            raise ParameterError(
                "deep_fool leaves a class by the shortest way and reaches none in particular; leave towards out, or "
                "use carlini_wagner, fmn or pgd"
            )

    def search(self, problem: Problem, progress: Progress) -> Any:
        rows = problem.unfinished
        others = likeliest_others(problem, self.candidates - 1)
        x = problem.of(rows)
        total = namespace(x).zeros_like(x, dtype=namespace(x).float64)
        for number in range(self.steps):
            if not len(rows):
                break
            least = np.maximum(LEAST, LEAST_SHARE * self.overshoot * norm_of(total, self.norm))
            least = least * 2.0 ** min(max(number - PATIENCE, 0), 30)
            total = total + self._to_boundary(problem, x, rows, others[rows], least)
            x = self._picture(problem, rows, total)
            logits = problem.logits(x, rows)
            failed = np.flatnonzero(~problem.offer(x, rows, logits) & np.isfinite(logits).all(axis=1))
            x, total, rows = take_rows(x, failed), take_rows(total, failed), rows[failed]
            progress(number + 1, self.steps, f"{len(problem.aim) - len(rows)} of {len(problem.aim)} fooled")

    def _picture(self, problem: Problem, rows: Any, total: Array) -> Array:
        images, xp = problem.of(rows), namespace(total)
        x = xp.astype(xp.astype(images, xp.float64) + (1 + self.overshoot) * total, images.dtype)
        return x if problem.bounds is None else xp.clip(x, *problem.bounds)

    def _to_boundary(self, problem: Problem, x: Array, rows: Any, others: Any, least: Any) -> Array:
        """The change (n, C, H, W), float64, of at least this length, to the nearest boundary with `others` (n, k)."""
        own = problem.aim.rows(rows).own
        logits, (first, *gradients) = problem.jacobian(x, rows, [own, *others.T])
        xp, each, room = namespace(x), np.arange(len(rows)), self._room(problem, x)
        nearest, change, flat = np.full(len(rows), np.inf), None, np.ones(len(rows), bool)
        for k, gradient in zip(others.T, gradients, strict=True):
            w = xp.astype(gradient, xp.float64) - xp.astype(first, xp.float64)
            size = norm_of(w, DUAL[self.norm])
            least_lead = np.maximum(least * size, 1.1 * rounding(logits))
            lead = np.maximum(np.abs(logits[each, own] - logits[each, k]), least_lead)
            step = shortest(w, *room, per_image(lead, w), self.norm)
            reached = as_numpy(xp.sum(xp.reshape(w * step, (len(rows), -1)), axis=1)) > 0.999 * lead
            distance = np.where(reached, norm_of(step, self.norm), np.inf)
            change = step if change is None else xp.where(per_image(distance < nearest, w), step, change)
            nearest, flat = np.minimum(nearest, distance), flat & (size == 0)
        problem.flat[rows] |= flat
        return change

    def _room(self, problem: Problem, x: Array) -> tuple[Array, Array]:
        """The least and the largest change of each number that a step may take."""
        low, high = (problem.bounds if self.within_bounds else None) or (-np.inf, np.inf)
        x = namespace(x).astype(x, namespace(x).float64)
        return low - x, high - x


def likeliest_others(problem: Problem, count: int) -> Any:
    """(N, count or fewer): the columns of the likeliest classes of each image beside the one to leave."""
    logits = problem.aim.deciding(problem.clean).copy()
    logits[np.arange(len(logits)), problem.aim.own] = -np.inf
    return np.argsort(-logits, axis=1, kind="stable")[:, : min(count, logits.shape[1] - 1)]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [DeepFool]
