"""Ablation-CAM (Ramaswamy and Desai, 2020, https://doi.org/10.1109/WACV45572.2020.9093360)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace, relu
from crosslens.errors import TargetError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.method.postprocess import resize, unit_range
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._feature_maps import feature_maps, weighted_sum, zero_map_note
from ._map_methods import MapMethod, negated_if

ABLATED, SHARES = ("zero", "below"), ("magnitude", "value")
SINK, EVERY = 1e7, 32
"""pytorch-grad-cam sets a channel so far below the minimum; in a batch of 32, the k-th channel k times as far."""


@dataclass(frozen=True, kw_only=True)
class AblationCAM(MapMethod):
    """Maps weighted by what the target loses with each.

    Weight each channel by the share of the target's value that is lost when the channel is set to zero; no gradient.

    w_k = (y - y_k) / y, L = relu(sum_k w_k A_k). The share is taken of |y|: the paper's for a score above zero; below,
    the paper's division would turn what helps into what hurts. One pass per channel, from the layer on.
    """

    name = "ablation_cam"
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset(
            {"ablated": "below", "share_of": "value"},
            (unit_range(1e-7), resize("linear"), unit_range(1e-7)),
            doc="bugs: unless the least activation is 0, a channel becomes -1e7 or less; a score below 0 turns signs",
        ),
    }
    ablated: str = param("zero", "what a channel becomes: zero, or, without a zero, far below", choices=ABLATED)
    share_of: str = param("magnitude", "what is lost is a share of the score's magnitude or value", choices=SHARES)
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, nowhere negative; (N, d, h, w) of volumes."""
        layer = self.layer or default_layer(model, objective, images)
        functions, scores = target_functions(model, images, negated_if(objective, self.counterfactual), layer)
        xp = namespace(images)
        values = xp.stack([self._map(function, scores[n], progress) for n, function in enumerate(functions)])
        notes = zero_map_note(values, [layer])
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=notes)

    def _map(self, function: TargetFunction, score: Array, progress: Progress) -> Array:
        if float(score) == 0:
            raise TargetError("the target's value is exactly 0, so no share of it can be lost; choose another target")
        maps = feature_maps(function.activation, function.layer, function.image.shape[2:])
        xp = namespace(maps)
        losses = [
            score - function.scores(self._ablated_activations(start, stop, function.activation))
            for start, stop in batch_ranges(function.model, maps.shape[1], progress, "ablating")
        ]
        weights = xp.concat(losses) / (xp.abs(score) if self.share_of == "magnitude" else score)
        return relu(weighted_sum(weights, maps[0, ...]))

    def _ablated_activations(self, start: int, stop: int, activation: Array) -> Array:
        """Maps (B, C, ...) or tokens (B, T, D), channel k ablated in row k - start."""
        axis = 2 if activation.ndim == 3 else 1
        ablated = np.eye(activation.shape[axis], dtype=np.float32)[start:stop]
        low = float(namespace(activation).min(activation))
        depth = 1 + np.arange(start, stop, dtype=np.float32) % EVERY
        value = np.zeros_like(depth) if self.ablated == "zero" or low == 0 else low - SINK * depth
        shape = (-1, 1, ablated.shape[1]) if axis == 2 else (-1, ablated.shape[1], *[1] * (activation.ndim - 2))
        kept, replacement = (
            like((1 - ablated).reshape(shape), activation),
            like((ablated * value[:, None]).reshape(shape), activation),
        )
        return activation * kept + replacement


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AblationCAM]
