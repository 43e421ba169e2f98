"""Conductance (Dhamdhere et al., 2018, https://arxiv.org/abs/1805.12233)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.method import param
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import refuse_unreached

from ..gradient._quadrature import quadrature
from ..gradient.integrated_gradients import TOLERANCE, PathAttribution
from ._image_path import LayerPathMethod, Numbers, along_path


@dataclass(frozen=True, kw_only=True)
class LayerConductance(LayerPathMethod):
    """How much of the target flows through each unit.

    The flow of the target through each unit of a layer, from a baseline x' to the image.

    Equation 3: integral_0^1 dS/dy (x' + a (x - x')) dy/da da for a unit y, taken step by step as the gradient times
    what y changes by. The values of a layer that all of the target goes through add up to S(x) - S(x'); what they miss
    it by is the result's `gap`. Values are averaged over several baselines.
    """

    name = "layer_conductance"
    aliases: ClassVar[Mapping[str, str]] = {"conductance": "", "neuron_conductance": "all units of the layer at once"}
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(
            {"rule": "left", "points": "gauss_legendre", "steps": 50},
            doc="gradients at the start of each step, and both ends of the way left out, so that values miss the sum",
        ),
    }
    example: ClassVar[Mapping[str, Any]] = {"steps": 8}
    volumes = True
    steps: int = param(50, "steps along the way", minimum=1)
    rule: str = param(
        "trapezoid", "the gradient of a step: the mean of both ends', or one", choices=("trapezoid", "left", "right")
    )
    points: str = param("even", "where steps end on the way", choices=("even", "gauss_legendre"))

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> PathAttribution:
        """Signed values of the shape of the layer, in the target's unit."""
        assert self.layer is not None
        refuse_unreached(model, objective, self.layer)
        xp = namespace(images)
        functions, scores = target_functions(model, images, objective, self.layer)
        values = xp.stack([self._values(function, progress) for function in functions])
        before = xp.stack([self._score_at_start(function) for function in functions])
        difference = scores - before
        gaps = xp.sum(values, axis=tuple(range(1, values.ndim))) - difference
        return PathAttribution(values, scores=scores, gap=gaps, notes=self._note(gaps, difference))

    @property
    def _shares(self) -> Numbers:
        """Of the way, (steps + 1,)."""
        if self.points == "even":
            return np.linspace(0, 1, self.steps + 1)
        return quadrature("gauss_legendre", self.steps + 1)[0]

    def _values(self, function: TargetFunction, progress: Progress) -> Array:
        starts, xp = self.starts(function), namespace(function.activation)
        before, after = {"left": (1.0, 0.0), "right": (0.0, 1.0), "trapezoid": (0.5, 0.5)}[self.rule]
        total = xp.zeros_like(function.activation[0, ...])
        for start in starts:
            last: tuple[Array, Array] | None = None
            for values, gradients, _ in along_path(function, start, self._shares, progress, "following the flow"):
                y, dy = values, gradients
                if last is not None:
                    y, dy = (xp.concat(pair, axis=0) for pair in ((last[0], values), (last[1], gradients)))
                step = y[1:, ...] - y[:-1, ...]
                total = total + xp.sum(step * (before * dy[:-1, ...] + after * dy[1:, ...]), axis=0)
                last = y[-1:, ...], dy[-1:, ...]
        return total / len(starts)

    def _score_at_start(self, function: TargetFunction) -> Array:
        """The mean over the baselines, a number."""
        xp, objective = namespace(function.image), function.objective
        scores = [objective.value(function.model.forward(x, objective.layers)) for x in self.starts(function)]
        return xp.mean(xp.concat(scores, axis=0))

    def _note(self, gaps: Array, differences: Array) -> tuple[str, ...]:
        xp = namespace(gaps)
        wide = int(xp.sum(xp.astype(xp.abs(gaps) > TOLERANCE * xp.abs(differences), xp.int64)))
        if not wide:
            return ()
        return (
            f"the values of {wide} of {gaps.shape[0]} images miss the score's difference from the baseline by more "
            f"than {TOLERANCE:.0%} (at most by {float(xp.max(xp.abs(gaps))):.3g}): raise steps, now {self.steps}, or "
            "name a layer that all of the target goes through",
        )


@hookimpl
def crosslens_methods() -> Sequence[type[LayerPathMethod]]:
    """This module's method."""
    return [LayerConductance]
