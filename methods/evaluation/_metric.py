"""The base of methods that judge another method: the judged method, its attributions, and which target is followed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from crosslens.arrays import Array, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import silent
from crosslens.method import Method, param
from crosslens.method.sanity import refuse_nonfinite
from crosslens.model import Model
from crosslens.objective import ClassScore, Objective
from crosslens.plugins import method as named
from crosslens.result import Attribution

UNITS = ("probability", "target")
"""What of a class a metric follows."""


@dataclass(frozen=True, kw_only=True)
class Metric(Method):
    """A judgement of another method on given images."""

    method: str | Method = param("grad_cam", "the method that is judged: its name, or in Python a configured method")

    @cached_property
    def judged(self) -> Method:
        """The method that is judged.

        Raises:
            ParameterError: it is neither a name nor a method, or it takes no images.
            PluginError: no method has this name.
        """
        judged = named(self.method) if isinstance(self.method, str) else self.method
        if not isinstance(judged, Method) or not judged.needs_images:
            raise ParameterError(f"{self.name} judges a method that explains images, by name or configured: {judged!r}")
        return judged

    def check_parameters(self) -> None:
        super().check_parameters()
        self.judged.check_parameters()

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        chosen = self.judged.with_network_defaults(model, images, objective)
        return {} if chosen is self.judged else {"method": chosen}

    def attribution(self, model: Model, images: Array, objective: Objective) -> Attribution:
        """What the judged method gives for images (N, C, H, W).

        Raises:
            ParameterError: its result is not an attribution.
            ModelError: the network gives NaN.
        """
        result = self.judged.run(model, images, objective, silent)
        if not isinstance(result, Attribution):
            raise ParameterError(f"{self.judged.name} gives a {type(result).__name__}, not an attribution to judge")
        refuse_nonfinite(self.judged.name, result)
        preset = self.judged.preset
        return result if preset is None else replace(result, values=preset.apply(result.values, images.shape[-2:]))


def fix_choices(model: Model, images: Array, objective: Objective) -> Objective:
    """The objective with each image's predicted class fixed where no other was given."""
    return objective.fix_choices(model.forward(images, objective.layers))


def class_probability(objective: Objective) -> Objective:
    """What is followed: the probability where the target is a class, as the papers do; any other target itself."""
    return objective.in_unit("probability") if isinstance(objective, ClassScore) else objective


def euclidean_length(values: Array) -> Array:
    """The Euclidean length of each item of a batch, (N,)."""
    xp = namespace(values)
    return xp.sqrt(xp.sum(values**2, axis=tuple(range(1, values.ndim))))
