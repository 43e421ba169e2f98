"""Projected gradient descent (Madry et al., 2018, https://arxiv.org/abs/1706.06083)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.attack import AttackMethod, Ball, BallOptions, NormedSteps, Problem, ViewOptions, climb
from crosslens.attack.randomness import generators
from crosslens.execution.progress import Progress, part_of
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import LOSSES
from crosslens.plugins.hookspecs import hookimpl


@dataclass(frozen=True, kw_only=True)
class PGD(BallOptions, ViewOptions, AttackMethod):
    """Fool a network by steps within a ball.

    x <- project(x + step_size d), d the steepest direction of the loss in the norm, the projection onto the ball of
    radius `eps` around the image and its bounds together. An image is done with its first picture that succeeds.
    """

    name = "pgd"
    aliases: ClassVar[Mapping[str, str]] = {
        "projected_gradient_descent": "",
        "basic_iterative_method": "Kurakin et al.'s: random_start=False",
        "momentum_iterative_method": "Dong et al.'s: momentum=1.0, random_start=False",
        "linf_pgd": "",
        "l2_pgd": "norm='l2'",
    }
    example: ClassVar = {"eps": 0.1, "steps": 4}
    steps: int = param(40, "steps of each start", minimum=1)
    step_size: float | None = param(None, "length of a step, in the norm; 2.5 eps / steps if not given", above=0)
    momentum: float = param(0.0, "share of the last direction that is kept; 0 for none", minimum=0)
    restarts: int = param(1, "starts of images that are not fooled yet", minimum=1)
    random_start: bool = param(True, "start anywhere in the ball; else the first start is the image itself")
    loss: str = param("cross_entropy", "what is climbed; dlr is the difference of logits ratio", choices=tuple(LOSSES))
    seed: int = param(0, "of the starts and the random views", minimum=0)
    presets: ClassVar = {
        "foolbox": Preset({"eps": 0.3, "steps": 40, "step_size": 0.01}, doc="LinfPGD; steps of eps times 0.01 / 0.3"),
        "art": Preset(
            {"eps": 0.3, "steps": 100, "step_size": 0.1, "random_start": False}, doc="ProjectedGradientDescent"
        ),
    }

    def search(self, problem: Problem, progress: Progress) -> Any:
        size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        problem.views = self._views((problem.images.shape[-2], problem.images.shape[-1]), self.seed)
        history = []
        for restart in range(self.restarts):
            rows = problem.unfinished
            if not len(rows):
                break
            x = problem.of(rows)
            region = Ball(self.norm, self.eps).around(x, problem.bounds)
            random = self.random_start or restart
            start = region.random(generators(x, self.seed, restart)) if random else x
            rule, told = NormedSteps(size, self.momentum), part_of(progress, restart, self.restarts)
            history.append(climb(problem, region, start, rows, LOSSES[self.loss], rule, self.steps, told))
        return np.concatenate(history) if history else None


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [PGD]
