"""What methods that judge other methods share: the method judged, its maps, and what is measured of the target."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, namespace
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
TIE = 1e-5
"""Values that differ by less than this share of the largest are equal: rounding must not decide about an order."""


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
        found = named(self.method) if isinstance(self.method, str) else self.method
        if not isinstance(found, Method) or not found.needs_images:
            raise ParameterError(f"{self.name} judges a method that explains images, by name or configured: {found!r}")
        return found

    def check_parameters(self) -> None:
        super().check_parameters()
        self.judged.check_parameters()

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        chosen = self.judged.with_network_defaults(model, images, objective)
        return {} if chosen is self.judged else {"method": chosen}

    def explained(self, model: Model, images: Array, objective: Objective) -> Attribution:
        """What the judged method says of images (N, C, H, W).

        Raises:
            ParameterError: it gives no attribution.
            ModelError: the network gives NaN.
        """
        result = self.judged.run(model, images, objective, silent)
        if not isinstance(result, Attribution):
            raise ParameterError(f"{self.judged.name} gives a {type(result).__name__}, no attribution to judge")
        refuse_nonfinite(self.judged.name, result)
        preset = self.judged.preset
        return result if preset is None else replace(result, values=preset.apply(result.values, images.shape[-2:]))


def pinned(model: Model, images: Array, objective: Objective) -> Objective:
    """The objective with each image's predicted class fixed where no other was given."""
    return objective.fix_choices(model.forward(images, objective.layers))


def measured(objective: Objective) -> Objective:
    """What is followed: the probability where the target is a class, as the papers do; any other target itself."""
    return objective.in_unit("probability") if isinstance(objective, ClassScore) else objective


def stepped(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values in whole steps of `TIE` of their largest magnitude, float64: what differs by rounding only is equal."""
    exact = values.astype(np.float64)
    return np.asarray(np.round(exact / (np.abs(exact).max(initial=0.0) or 1.0) / TIE))


def ranks(values: Array) -> np.ndarray[Any, Any]:
    """The place of each value in the order from the largest down, of the shape of `values`; equal ones keep theirs."""
    steps = stepped(as_numpy(values)).ravel()
    places = np.empty(steps.size, np.int64)
    places[np.argsort(-steps, kind="stable")] = np.arange(steps.size)
    return places.reshape(values.shape)


def length(values: Array) -> Array:
    """The Euclidean length of each item of a batch, (N,)."""
    xp = namespace(values)
    return xp.sqrt(xp.sum(values**2, axis=tuple(range(1, values.ndim))))
