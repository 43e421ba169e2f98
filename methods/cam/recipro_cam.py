"""Recipro-CAM (Byun and Lee, 2022, https://arxiv.org/abs/2209.14074)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._feature_maps import feature_maps, zero_map_note
from ._map_methods import MapMethod, negated_if

MASKS = {"gaussian": (0.25, 0.5, 0.25), "single": (0.0, 1.0, 0.0)}
"""By name, how much is kept of the position before, of the position itself and of the one after, along each axis."""


@dataclass(frozen=True, kw_only=True)
class ReciproCAM(MapMethod):
    """The target from each position of the maps alone.

    The target's value when only one position of a layer's maps is left, for each position; no gradient.

    Masks are Gaussian, 3 x 3, or a single position; in volumes 3 x 3 x 3, the product of the same weights along each
    axis, which is our extension of the paper. What is left of the target when nothing is left of the maps is
    taken off; the paper scales the map to [0, 1] at last, which takes the same away. One pass per position.
    """

    name = "recipro_cam"
    volumes = True
    mask: str = param("gaussian", "what is kept around a position", choices=tuple(MASKS))
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, signed, in the target's unit; (N, d, h, w) of volumes."""
        layer = self.layer or default_layer(model, objective, images)
        functions, scores = target_functions(model, images, negated_if(objective, self.counterfactual), layer)
        values = namespace(images).stack([self._map(function, progress) for function in functions])
        notes = zero_map_note(values, [layer])
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=notes)

    def _map(self, function: TargetFunction, progress: Progress) -> Array:
        size = tuple(feature_maps(function.activation, function.layer, function.image.shape[2:]).shape[2:])
        scores_left = [
            function.scores(function.activation * _to_multiply(self._masks(start, stop, size), function.activation))
            for start, stop in batch_ranges(function.model, 1 + prod(size), progress, "masking")
        ]
        scores = namespace(function.activation).concat(scores_left)
        return namespace(scores).reshape(scores[1:] - scores[0], size)

    def _masks(self, start: int, stop: int, size: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Masks (B, h, w) or (B, d, h, w) from `start` to `stop`: 0 keeps nothing, 1 + i what is around position i."""
        masks = np.ones((stop - start, *[1] * len(size)), np.float32)
        positions = np.unravel_index(np.arange(start - 1, stop - 1).clip(0), size)
        for axis, (n, at) in enumerate(zip(size, positions, strict=True), start=1):
            others = tuple(i for i in range(1, len(size) + 1) if i != axis)
            masks = masks * np.expand_dims(_band(n, MASKS[self.mask])[at], others)
        masks[: max(1 - start, 0)] = 0
        return masks.astype(np.float32)


def _band(n: int, weights: tuple[float, float, float]) -> np.ndarray[Any, Any]:
    before, here, after = weights
    return before * np.eye(n, k=-1) + here * np.eye(n) + after * np.eye(n, k=1)


def _to_multiply(masks: Array, activation: Array) -> Array:
    """Masks to multiply maps (1, C, ...) or tokens (1, T, D) with; tokens in front of the patches are kept."""
    if activation.ndim > 3:
        return like(masks[:, None], activation)
    flat = masks.reshape(len(masks), -1)
    front = np.ones((len(masks), activation.shape[1] - flat.shape[1]), np.float32)
    return like(np.concatenate([front, flat], axis=1)[:, :, None], activation)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ReciproCAM]
