"""A strip from one channel to another (Olah et al. 2017, "Interaction between neurons")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import layer_of_units
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, interpolate
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.parameterisation import Parameterisation

from .activation_maximisation import ActivationMaximisation


@dataclass(frozen=True, kw_only=True)
class Interpolation(ActivationMaximisation):
    """Pictures from one channel to another.

    What lies between two channels: picture n maximises (1 - t) * channel a + t * channel b, t = n / (count - 1).

    All start from the same noise and have the same transforms, so that neighbours stay alike.
    """

    name = "interpolation"
    needs_target = False
    example: ClassVar = {"steps": 4, "count": 2, "first": 2, "second": 4}
    layer: str | None = param(
        None, "layer of the channels; if not given, the last of the last scale but one, before its rectifier"
    )
    first: int = param(0, "channel at the left end, a")
    second: int = param(1, "channel at the right end, b")
    count: int = param(5, "how many pictures, both ends included", minimum=2)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": layer_of_units(model)}

    def check_animation(self) -> None:
        """Nothing: from one channel to the other is an animation as well."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """`count` pictures from the same noise."""
        if images is not None:
            raise ParameterError("interpolation makes its pictures from noise; leave the images out")
        self._refuse_data(self.name)
        shares = np.linspace(0, 1, self.count).tolist()
        strip = interpolate(self.layer or layer_of_units(model), self.first, self.second, shares)
        strip.check(model)
        return self._maximise(model, None, strip, objective, progress)

    def _start(self, pixels: Parameterisation, count: int) -> Array:
        start = super()._start(pixels, 1)
        return np.concatenate([np.repeat(start[:1], count, axis=0), start[1:]])


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Interpolation]
