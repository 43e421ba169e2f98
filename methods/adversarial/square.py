"""The square attack (Andriushchenko et al., 2020, https://arxiv.org/abs/1912.00049)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import like
from crosslens.attack import AttackMethod, Ball, Problem
from crosslens.attack.randomness import generators
from crosslens.execution.progress import Progress, part_of
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import CrossEntropy, Margin
from crosslens.plugins.hookspecs import hookimpl

from ._bumps import Bumps
from ._squares import Corners, Squares, covered_share

RULES = {"linf": Corners, "l2": Bumps}


@dataclass(frozen=True, kw_only=True)
class Square(AttackMethod):
    """Fool a network by squares, without gradients.

    A random search on the surface of the ball: each query changes the numbers under one random square and is kept where
    the margin shrinks (or, with `towards`, the cross-entropy of the class to reach). Squares cover the share `p` of the
    image at first and ever less, by the paper's schedule for 10,000 queries, scaled to `queries`.
    """

    name = "square"
    aliases: ClassVar[Mapping[str, str]] = {"square_attack": "", "random_search_attack": ""}
    example: ClassVar = {"eps": 0.1, "queries": 8}
    eps: float = param(0.03, "largest distance from the image, in the unit of images in [0, 1]", minimum=0)
    norm: str = param("linf", "norm of the distance", choices=tuple(RULES))
    queries: int = param(5000, "pictures that the network is asked about, for each image and start", minimum=1)
    p: float = param(0.8, "share of the image that the first squares cover", above=0, maximum=1)
    restarts: int = param(1, "starts of images that are not fooled yet", minimum=1)
    seed: int = param(0, "of the squares", minimum=0)
    presets: ClassVar = {
        "art": Preset({"eps": 0.3, "queries": 101}, doc="SquareAttack: 100 squares after the first stripes"),
    }

    @property
    def distance_norm(self) -> str:
        return self.norm

    def search(self, problem: Problem, progress: Progress) -> Any:
        for restart in range(self.restarts):
            rows = problem.unfinished
            if not len(rows):
                break
            x = problem.of(rows)
            region = Ball(self.norm, self.eps).around(x, problem.bounds)
            squares = RULES[self.norm](region, generators(x, self.seed, restart))
            self._improve(problem, rows, squares, part_of(progress, restart, self.restarts))

    def _improve(self, problem: Problem, rows: "np.ndarray[Any, Any]", squares: Squares, progress: Progress) -> None:
        loss = Margin if problem.aim.reach is None else CrossEntropy
        x = squares.first()
        highest = np.full(len(rows), -np.inf)
        for query in range(self.queries):
            tried = squares.proposals(x, covered_share(self.p, query - 1, self.queries)) if query else x
            given = like(tried, problem.images)
            logits = problem.logits(given, rows)
            success = problem.offer(given, rows, logits)
            losses = loss(problem.aim.rows(rows)).at_logits(logits)[0]
            better = losses >= highest  # no worse: a network in int8 has the same margin for many pictures
            x[better], highest[better] = tried[better], losses[better]
            if success.any():
                left = np.flatnonzero(~success)
                x, highest, rows = x[left], highest[left], rows[left]
                squares.keep(left)
            progress(query + 1, self.queries, f"{len(problem.aim) - len(rows)} of {len(problem.aim)} fooled")
            if not len(rows):
                break


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Square]
