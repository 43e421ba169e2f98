"""A layer's activations and the target's gradients there, on the straight way from a baseline to an image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection import default_layer
from crosslens.method import Method, param
from crosslens.method.baselines import baselines
from crosslens.method.target_function import TargetFunction, batch_ranges
from crosslens.model import Model
from crosslens.objective import Objective, pullback

__all__ = ["LayerPathMethod", "along_path"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class LayerPathMethod(Method):
    """What methods for units of a layer, along the image's path, have in common."""

    baseline: str | tuple[str, ...] | Any = param(
        "black", "where the way starts: black, white, grey, blurred, noise, a picture's file or an array; or several"
    )
    layer: str | None = param(None, "layer whose units are looked at; the last one with maps if not given")
    seed: int = param(0, "of the baseline 'noise'", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        """The layer."""
        return {} if self.layer else {"layer": default_layer(model, objective, images)}

    def starts(self, function: TargetFunction) -> list[Array]:
        """The baselines of one image, (1, C, H, W) each."""
        every = baselines(self.baseline, function.image, function.model, self.seed)
        return [every[m : m + 1, ...] for m in range(every.shape[0])]


def along_path(
    function: TargetFunction, start: Array, shares: Numbers, progress: Progress, what: str
) -> Iterator[tuple[Array, Array, Numbers]]:
    """Activations of the layer and gradients there, (b, ...) each, and the shares of the way that they belong to.

    Args:
        function: the target of one image, with the layer.
        start: the baseline, (1, C, H, W).
        shares: of the way from it to the image, in order; some of them at once, as memory allows.
        progress: told (done, total, what).
        what: is being done.
    """
    image, layer, xp = function.image, function.layer, namespace(function.image)
    for first, stop in batch_ranges(function.model, len(shares), progress, what):
        part = xp.reshape(like(shares[first:stop], image), (-1, *[1] * (image.ndim - 1)))
        variants = start + part * (image - start)
        pull, _ = pullback(function.model, variants, function.objective, wrt=[layer], capture=[layer])
        yield pull.activations[layer], pull.gradients[layer], shares[first:stop]
