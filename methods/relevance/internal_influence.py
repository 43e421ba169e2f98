"""Internal influence (Leino et al., 2018, https://arxiv.org/abs/1802.03788)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress
from crosslens.method import param
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import refuse_unreached
from crosslens.result import Attribution

from ..gradient._quadrature import RULES, Quadrature, quadrature
from ._image_path import LayerPathMethod, along_path


@dataclass(frozen=True, kw_only=True)
class InternalInfluence(LayerPathMethod):
    """A layer's mean gradient on the way to an image.

    The target's gradient at each unit of a layer, averaged over the images between a baseline and the image.

    Definition 1 with the uniform distribution on the straight way: integral_0^1 dS/dz (x' + a (x - x')) da. It is
    raw, not multiplied by the unit's activation. Values are averaged over several baselines.
    """

    name = "internal_influence"
    presets: ClassVar[Mapping[str, Preset]] = {"captum": Preset({"rule": "gauss_legendre", "steps": 50})}
    example: ClassVar[Mapping[str, Any]] = {"steps": 8}
    volumes = True
    steps: int = param(50, "gradients along the way", minimum=1)
    rule: str = param("gauss_legendre", "how the integral is taken", choices=RULES)

    def check_parameters(self) -> None:
        super().check_parameters()
        quadrature(self.rule, self.steps)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the layer, in the target's unit for each of the layer's."""
        assert self.layer is not None
        refuse_unreached(model, objective, self.layer)
        rule = quadrature(self.rule, self.steps)
        functions, scores = target_functions(model, images, objective, self.layer)
        values = [self._values(function, rule, progress) for function in functions]
        return Attribution(namespace(images).stack(values), scores=scores)

    def _values(self, function: TargetFunction, rule: Quadrature, progress: Progress) -> Array:
        points, weights = rule
        starts, xp = self.starts(function), namespace(function.activation)
        total = xp.zeros_like(function.activation[0, ...])
        for start in starts:
            done = 0
            for _, gradients, part in along_path(function, start, points, progress, "averaging gradients"):
                counts = like(weights[done : done + len(part)], gradients)
                total, done = total + xp.tensordot(counts, gradients, axes=1), done + len(part)
        return total / len(starts)


@hookimpl
def crosslens_methods() -> Sequence[type[LayerPathMethod]]:
    """This module's method."""
    return [InternalInfluence]
