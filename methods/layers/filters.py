"""Filters: the kernels of a layer (Krizhevsky et al., 2012, figure 3, shows those of AlexNet's first layer).

Where a layer reads the image, its kernels are shown in the image's colours: the network's own preprocessing (scale,
mean and deviation, BGR order) and padding are undone by their exact adjoint, so that a filter looks like the patch of
its length that it answers most to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_kernels import KERNEL, first_filters, layer_kernels
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins import hookimpl
from crosslens.sheets.filters import Filters as FilterSheet

from ._seriation import by_similarity

__all__ = ["Filters"]

MOST = 64
"""Filters that are shown where neither `count` nor `units` is given; of 1 x 1 kernels all."""


@dataclass(frozen=True, kw_only=True)
class Filters(Method):
    """The kernels of a layer, in colour on the image.

    A layer that reads the image has filters in its colours, through the network's preprocessing; any other one grey
    ones, a row for each unit with its input channels, or one matrix where kernels are 1 x 1. Zero is mid-grey.

    A normalisation may be named as well: it shows the kernels of the convolution before it, times its gains. The layer
    chosen by default is such a one, so that files in which the two are one agree with those in which they are not.
    """

    name = "filters"
    aliases: ClassVar = {"kernels": "", "visualize_filters": ""}
    needs_images = False
    needs_target = False
    volumes = True
    layer: str | None = param(None, "layer with kernels; the first one that reads the image if not given")
    units: tuple[int, ...] | None = param(None, "units to show, in this order", minimum=0)
    count: int | None = param(None, f"how many to show; {MOST} if not given, of 1 x 1 kernels all", minimum=1)
    sort: str = param(
        "none",
        "their order: by number, the longest first, or each next to one that is like it (cosine)",
        choices=("none", "norm", "similarity"),
    )
    scale: str = param("unit", "what the brightest value is the largest of: each unit, or all", choices=("unit", "all"))
    inputs: int = param(16, "input channels shown of each unit: those with the largest norms", minimum=1)
    kernel: str = param(KERNEL, "which weights of the layer: depthwise_kernel of a separable convolution")

    def check_parameters(self) -> None:
        super().check_parameters()
        given = {"count": self.count is not None, "sort": self.sort != "none"}
        if self.units is not None and any(given.values()):
            raise ParameterError(
                f"units= names the filters and their order, and {next(n for n in given if given[n])}= was given too; "
                "leave one of them out"
            )
        if self.units == ():
            raise ParameterError("units is empty: give the numbers of units, or leave it out")

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": first_filters(model)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> FilterSheet:
        """The kernels of every unit, which units are shown, and these as they lie in what they read."""
        if images is not None:
            raise ParameterError("filters shows weights and takes no images; activation_maps shows what they answer")
        name = model.layer_name(self.layer or first_filters(model))
        found = layer_kernels(model, name, self.kernel)
        norms = np.linalg.norm(found.raw.reshape(len(found.raw), -1).astype(np.float64), axis=1)
        units = self._units(name, found.laid_out, norms)
        return FilterSheet(
            layer=name,
            kernels=found.raw,
            norms=norms,
            units=units,
            values=found.laid_out[units],
            reads=found.reads,
            groups=found.groups,
            shared_scale=self.scale == "all",
            most_inputs=self.inputs,
        )

    def _units(self, layer: str, kernels: np.ndarray[Any, Any], norms: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        total = len(kernels)
        if self.units is not None:
            if wrong := [unit for unit in self.units if unit >= total]:
                raise ParameterError(f"no unit {wrong[0]} in layer {layer!r}: it has {total}, 0 to {total - 1}")
            return np.array(self.units)
        order = np.arange(total)
        if self.sort == "norm":
            order = np.argsort(-norms, kind="stable")
        elif self.sort == "similarity":
            order = by_similarity(kernels.reshape(total, -1))
        return order[: self.count or (total if np.prod(kernels.shape[2:]) == 1 else MOST)]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """The method of this module."""
    return [Filters]
