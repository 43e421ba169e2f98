"""A layer's maps at many images, and the gradient of each image's target there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.execution.batching import batch_limit, slices
from crosslens.model import Model
from crosslens.model.layout import channels_last
from crosslens.objective import Objective, pullback
from crosslens.objective.class_score import ClassScore

from ..cam._feature_maps import feature_maps

__all__ = ["LayerMaps", "as_activation", "layer_maps"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LayerMaps:
    """What a layer answers to N images, and how each image's target depends on it."""

    activations: Numbers
    """(N, C, h, w), float32."""
    gradients: Numbers
    """The target's gradient at them, of the same shape."""
    scores: Numbers
    """The target of each image, (N,)."""
    objectives: tuple[Objective, ...]
    """The target of each image, its predicted class fixed."""

    def targets(self, model: Model) -> tuple[str, ...]:
        """The target of each image in words: the label of its class where there is one."""
        return tuple(_in_words(each, model) for each in self.objectives)


def layer_maps(model: Model, images: Array, objective: Objective, layer: str) -> LayerMaps:
    """The maps of a layer, or its tokens laid out as maps, in batches that fit into memory.

    Args:
        model: the network.
        images: (N, C, H, W).
        objective: the target of each image.
        layer: with maps (N, C, h, w) or tokens; class and register tokens are left out.

    Raises:
        LayerError: the layer has neither, or a single position.
    """
    parts = list(_parts(model, images, objective, layer))
    arrays = [np.concatenate([part[n] for part in parts]) for n in range(3)]
    return LayerMaps(arrays[0], arrays[1], arrays[2], tuple(each for *_, pinned in parts for each in pinned))


def _parts(
    model: Model, images: Array, objective: Objective, layer: str
) -> Iterator[tuple[Numbers, Numbers, Numbers, Sequence[Objective]]]:
    size = tuple(images.shape[2:])
    for start, stop in slices(images.shape[0], batch_limit(model)):
        some, own = images[start:stop, ...], objective.select(start, stop)
        pinned = own.fix_choices(model.forward(some, sorted(own.layers)))
        pull, scores = pullback(model, some, pinned, wrt=[layer], capture=[layer])
        maps = [feature_maps(values[layer], layer, size) for values in (pull.activations, pull.gradients)]
        activations, gradients = (as_numpy(each) for each in maps)
        count = stop - start
        each_pinned = [pinned.select(n, n + 1) for n in range(count)]
        yield activations, gradients, as_numpy(scores).reshape(count), each_pinned


def as_activation(maps: Numbers, activation: Array) -> Array:
    """Maps (B, C, h, w) as the layer holds them, of the kind of its `activation` (1, ...); spare tokens are zeros."""
    if activation.ndim != 3:
        return like(np.ascontiguousarray(maps), activation)
    tokens = channels_last(maps).reshape(maps.shape[0], -1, maps.shape[1])
    spare = activation.shape[1] - tokens.shape[1]
    xp = namespace(activation)
    zeros = xp.zeros((maps.shape[0], spare, maps.shape[1]), dtype=activation.dtype, device=activation.device)
    return xp.concat([zeros, like(np.ascontiguousarray(tokens), activation)], axis=1)


def _in_words(objective: Objective, model: Model) -> str:
    target = objective.target if isinstance(objective, ClassScore) else None
    place = target[0] if isinstance(target, tuple) else target
    names = () if place is None else model.output.names(model.labels)
    return names[place] if place is not None and names else str(objective)
