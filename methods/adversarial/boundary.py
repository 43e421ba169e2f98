"""The boundary attack (Brendel et al., 2018, https://arxiv.org/abs/1712.04248)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy, like
from crosslens.attack import AttackMethod, Problem
from crosslens.attack.randomness import generators
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._starts import Starts, start_pictures
from ._walk import SOURCE, SPHERICAL, Rates, Walk

CHECKED_EVERY = 10
"""Steps after which the step on the sphere is asked about by itself, for its length: a query more."""

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class WalkOptions(ParameterGroup):
    """The lengths of the steps."""

    title = "steps"
    steps: int = param(25_000, "steps at most, a query each and one in ten a second", minimum=1)
    spherical_step: float = param(0.1, "first step on the sphere, in shares of the distance", above=0)
    source_step: float = param(0.01, "first step towards the image, in shares of the distance", above=0, below=1)
    step_adaptation: float = param(1.5, "factor by which steps grow and shrink", above=1)
    convergence: float = param(1e-7, "an image is done when its step towards it is shorter", minimum=0)


@dataclass(frozen=True, kw_only=True)
class Boundary(WalkOptions, AttackMethod):
    """Fool a network by its predicted class alone.

    From a picture that fools, a random walk along the boundary of the class towards the image: a random step on the
    sphere around it, then one towards it, kept where the picture still fools. The first grows and shrinks so that 20 to
    50 % of such steps alone would fool, the second so that 10 to 25 % of both do.
    """

    name = "boundary"
    aliases: ClassVar[Mapping[str, str]] = {"boundary_attack": "", "decision_based_attack": ""}
    example: ClassVar = {"steps": 12}
    start: Any = param(
        None,
        "picture that fools, to start from: a file, several with commas between, or an array, one or one for each "
        "image; sought in noise if not given, and with `towards` among the other images first",
    )
    tries: int = param(1000, "noise pictures in which a start is sought", minimum=0)
    seed: int = param(0, "of the noise and the steps", minimum=0)
    presets: ClassVar = {
        "foolbox": Preset(
            {"spherical_step": 0.01}, doc="BoundaryAttack; theirs adapts both lengths to every tenth step"
        ),
        "art": Preset(
            {"steps": 5000, "spherical_step": 0.01, "step_adaptation": 1 / 0.667}, doc="BoundaryAttack, a trial a step"
        ),
    }

    @property
    def distance_norm(self) -> str:
        return "l2"

    def search(self, problem: Problem, progress: Progress) -> Any:
        given = None if self.start is None else start_pictures(self.start, problem)
        rows = problem.unfinished
        if not len(rows):
            return
        drawn = generators(problem.of(rows), self.seed)
        starts = Starts(problem, rows, drawn)
        x = starts.find(given, self.tries)
        found = np.flatnonzero(starts.found)
        rows = rows[found]
        if len(rows):
            images = as_numpy(problem.of(rows))
            steps = (self.spherical_step, self.source_step)
            walk = Walk(images, x[found], problem.bounds, [drawn[n] for n in found.tolist()], steps)
            self._walk(problem, rows, walk, progress)

    def _walk(self, problem: Problem, rows: Values, walk: Walk, progress: Progress) -> None:
        spherical, source = Rates(len(rows), SPHERICAL), Rates(len(rows), SOURCE)
        for step in range(1, self.steps + 1):
            on_sphere, tried = walk.proposals()
            checked = step % CHECKED_EVERY == 0
            success = _decisions(problem, rows, tried, *[on_sphere] * checked)
            moved = np.flatnonzero(walk.accept(tried, success[0]))
            problem.offer_found(like(tried[moved], problem.images), rows[moved])
            walk.source *= self.step_adaptation ** source.add(success[0])
            if checked:
                change = self.step_adaptation ** spherical.add(success[1])
                walk.spherical, walk.source = walk.spherical * change, walk.source * change
            left = np.flatnonzero((walk.source >= self.convergence) & (walk.distance > 0))
            if len(left) < len(rows):
                rows = rows[left]
                for each in (walk, spherical, source):
                    each.keep(left)
            progress(step, self.steps, f"{len(rows)} of {len(problem.aim)} on their way")
            if not len(rows):
                break


def _decisions(problem: Problem, rows: Values, *pictures: Values) -> list[Values]:
    """Whether pictures succeed, several (n, C, H, W) for the same images, asked about together."""
    given = like(np.concatenate(pictures), problem.images)
    return np.split(problem.decisions(given, np.tile(rows, len(pictures))), len(pictures))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Boundary]
