"""Auto-PGD (Croce and Hein, 2020, https://arxiv.org/abs/2003.01690; for L1 2021, https://arxiv.org/abs/2103.01208)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.attack import AttackMethod, Ball, BallOptions, Problem, Region, ViewOptions, climb
from crosslens.attack.auto_steps import BestPointSteps, HalvingSteps, SparseSteps
from crosslens.attack.randomness import generators
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress, part_of
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import LOSSES
from crosslens.plugins.hookspecs import hookimpl

STAGES = ((3, 0.3), (2, 0.3), (1, 0.4))
"""Radii in eps and shares of the steps, where larger balls come first (2021, section 3.4)."""


@dataclass(frozen=True, kw_only=True)
class APGD(BallOptions, ViewOptions, AttackMethod):
    """Fool a network by steps that adapt their length.

    As `pgd`, but there is no step to choose: the first is 2 `eps` long, three quarters of each are new and one quarter
    is the step before, and at checkpoints the length is halved, and the picture of the largest loss taken up again,
    where the loss rose too rarely. In L1 each step changes few numbers, ever fewer. An image is done with its first
    picture that succeeds.
    """

    name = "apgd"
    aliases: ClassVar[Mapping[str, str]] = {
        "auto_pgd": "",
        "auto_projected_gradient_descent": "ART's name",
        "apgd_ce": "AutoAttack's: restarts=5",
        "apgd_dlr": "AutoAttack's: loss='dlr', restarts=5",
    }
    example: ClassVar = {"eps": 0.1, "steps": 6}
    steps: int = param(100, "steps of each start", minimum=1)
    rho: float = param(0.75, "share of the steps whose loss must rise; not of L1 steps", minimum=0, maximum=1)
    larger_first: bool | None = param(None, "balls of 3 and 2 eps for 30 % of the steps each; in L1 if not given")
    restarts: int = param(1, "starts of images that are not fooled yet", minimum=1)
    random_start: bool = param(True, "start anywhere in the ball; else the first start is the image itself")
    loss: str = param("cross_entropy", "what is climbed; dlr is the difference of logits ratio", choices=tuple(LOSSES))
    seed: int = param(0, "of the starts and the random views", minimum=0)
    presets: ClassVar = {
        "autoattack": Preset(
            {"eps": 8 / 255, "restarts": 5}, doc="APGD-CE of the standard version; the radius of its CIFAR-10 table"
        ),
        "art": Preset({"eps": 0.3, "restarts": 5}, doc="AutoProjectedGradientDescent, which starts at eps_step 0.1"),
        "torchattacks": Preset({"eps": 8 / 255, "steps": 10}, doc="APGD"),
    }

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.norm == "l1" and self.rho != APGD.rho:
            raise ParameterError("rho is of the halved steps in L-inf and L2; leave it out, or take another norm")

    def search(self, problem: Problem, progress: Progress) -> Any:
        problem.views = self._views((problem.images.shape[-2], problem.images.shape[-1]), self.seed)
        history = []
        for restart in range(self.restarts):
            rows = problem.unfinished
            if not len(rows):
                break
            told = part_of(progress, restart, self.restarts)
            history.append(self._from_start(problem, rows, restart, told))
        return np.concatenate(history) if history else None

    def _from_start(self, problem: Problem, rows: Any, restart: int, progress: Progress) -> Any:
        """The history of one start of these images."""
        images, loss = problem.of(rows), LOSSES[self.loss]
        *larger, (_, left) = self._stages
        x, done = images, 0
        for factor, steps in larger:
            region = Ball(self.norm, factor * self.eps).around(images, problem.bounds)
            x, rule = self._start(region, x, restart, done), self._rule(steps, done)
            for number in range(steps):
                x = rule.step(region, x, problem.gradient(x, rows, loss), number)
                progress(done + number + 1, self.steps, f"a ball of {factor} eps")
            x, done = rule.best, done + steps
        region = Ball(self.norm, self.eps).around(images, problem.bounds)

        def told(step: int, _: int, what: str) -> None:
            progress(done + step, self.steps, what)

        start, rule = self._start(region, x, restart, done), self._rule(left, done)
        return climb(problem, region, start, rows, loss, rule, left, told)

    def _start(self, region: Region, x: Array, restart: int, done: int) -> Array:
        if done or not (self.random_start or restart):
            return region.project(x)
        return region.random(generators(region.centres, self.seed, restart))

    def _rule(self, steps: int, done: int) -> BestPointSteps:
        if self.norm == "l1":
            return SparseSteps(steps, goes_on=done > 0)
        return HalvingSteps(steps, self.rho)

    @property
    def _stages(self) -> Sequence[tuple[int, int]]:
        """Radii in eps and steps; the last of `eps`."""
        if not (self.norm == "l1" if self.larger_first is None else self.larger_first):
            return [(1, self.steps)]
        counts = [int(share * self.steps) for _, share in STAGES[:-1]]
        counts.append(self.steps - sum(counts))
        return [(factor, count) for (factor, _), count in zip(STAGES, counts, strict=True) if count]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [APGD]
