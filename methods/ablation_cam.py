"""Ablation-CAM (Ramaswamy and Desai, 2020, https://doi.org/10.1109/WACV45572.2020.9093360)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from crosslens.arrays import Array, like, namespace, relu
from crosslens.errors import TargetError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.progress import Progress
from crosslens.result import Attribution

from .cam_family import as_maps, chosen_layer, empty_note, facing
from .case import Case, cases, portions


@dataclass(frozen=True, kw_only=True)
class AblationCAM(Method):
    """Weight each channel by the share of the target's value that is lost when the channel is set to zero; no gradient.

    w_k = (y - y_k) / y, L = relu(sum_k w_k A_k). The share is taken of |y|: the paper's for a score above zero; below,
    the paper's division would turn what helps into what hurts. One pass per channel, from the layer on.
    """

    name = "ablation_cam"
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, nowhere negative."""
        layer = chosen_layer(model, self.layer)
        found, scores = cases(model, images, facing(objective, self.counterfactual), layer)
        xp = namespace(images)
        values = xp.stack([self._map(case, scores[n], progress) for n, case in enumerate(found)])
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=empty_note(values, [layer]))

    def _map(self, case: Case, score: Array, progress: Progress) -> Array:
        if float(score) == 0:
            raise TargetError("the target's value is exactly 0, so no share of it can be lost; choose another target")
        maps = as_maps(case.activation, case.layer, case.image.shape[2:])
        xp = namespace(maps)
        lost = [
            score - case.scores(case.activation * _without(start, stop, case.activation))
            for start, stop in portions(case.model, maps.shape[1], progress, "ablating")
        ]
        weights = xp.concat(lost) / xp.abs(score)
        return relu(xp.sum(weights[:, None, None] * maps[0, ...], axis=0))


def _without(start: int, stop: int, activation: Array) -> Array:
    """Ones with a zero for channel k in row k - start, to multiply maps (1, C, H, W) or tokens (1, T, D) with."""
    axis = 2 if activation.ndim == 3 else 1
    kept = like(1 - np.eye(activation.shape[axis], dtype=np.float32)[start:stop], activation)
    return kept[:, None, :] if axis == 2 else kept[:, :, None, None]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AblationCAM]
