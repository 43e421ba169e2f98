"""A target's own maps: a map of them would be the target itself, whatever unit of it is explained.

A segmentation network ends in maps of classes, perhaps softmaxed, resized or laid out anew. Each unit of the target
then reads one channel of such maps (through a softmax all channels of a position, with weights that sum to zero), and
Grad-CAM of them is relu(map of the class) times a number, for every pixel alike. Whether a layer is such is seen from
the gradient of single units of the target there, so that no framework's names are needed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import as_numpy, like
from ..model.base import Model

__all__ = ["own_maps", "sample_images"]

Values = np.ndarray[Any, Any]
SINGLE = 1 - 1e-4
"""The share of a gradient's energy that lies in one channel where no other is read."""
BALANCED = 1e-3
"""What is left of a gradient, summed over channels, after a softmax."""


def own_maps(model: Model, target: str, layers: Sequence[str]) -> frozenset[str]:
    """Those of `layers` that hold the target's own maps.

    Args:
        model: any network.
        target: the layer that a target reads.
        layers: layers with maps that `target` is computed from, or `target` itself.
    """
    counts = model.layer(target).shape[1:]
    if len(counts) == 1:
        layers = [name for name in layers if _may_be_flattened(counts[0], model.layer(name).shape[2:])]
    if not layers:
        return frozenset()
    maps = len(counts) in {3, len(model.input.shape)}
    axes = (1,) * 3 if maps or len(counts) == 1 else tuple(a for a in range(1, len(counts) + 1) for _ in range(3))
    with model.linearize(sample_images(model, len(axes)), [target], wrt=layers) as at:
        activation = at.activations[target]
        values = as_numpy(activation)
        cotangent = _one_unit_each(values) if maps or values.ndim == 2 else _one_index_each(values, axes)
        gradients = {name: as_numpy(g) for name, g in at.vjp({target: like(cotangent, activation)}).items()}
    if len(counts) == 1:
        return frozenset(name for name in layers if _is_flattened(gradients[name]))
    return frozenset(name for name in layers if _reads_single_channels(gradients[name], axes, anchors=not maps))


def sample_images(model: Model, count: int, shape: tuple[int, ...] | None = None) -> Values:
    """One image of noise within the model's bounds, `count` times over; `shape` (C, H, W) if not the model's own."""
    low, high = model.input.bounds or (-1.0, 1.0)
    image = np.random.default_rng(0).uniform(low, high, (1, *(shape or model.input.example_shape)))
    return np.repeat(image.astype(np.float32), count, axis=0)


def _may_be_flattened(count: int | None, positions: Sequence[int | None]) -> bool:
    """Whether a vector could hold all positions of some channels."""
    size = int(np.prod([n or 1 for n in positions]))
    return count is not None and count >= size and count % size == 0


def _one_unit_each(values: Values) -> Values:
    """For each item of a batch 1 at one unit of maps or a vector: of the channels that vary most, half way up.

    There a rectifier is open and a softmax not saturated.
    """
    cotangent = np.zeros_like(values)
    for n, maps in enumerate(values):
        channels = maps.reshape(len(maps) if values.ndim > 2 else 1, -1)
        channel = np.argsort(-np.ptp(channels, axis=1), kind="stable")[n % len(channels)]
        row = channels[channel]
        place = np.argsort(np.abs(row - (row.max() + row.min()) / 2))[n % len(row)]
        cotangent[n].reshape(channels.shape)[channel, place] = 1
    return cotangent


def _one_index_each(values: Values, axes: Sequence[int]) -> Values:
    """For each item of a batch random numbers at one index of its axis: the first, the middle and the last.

    In a detector's output these are sides of boxes and scores, at all scales.
    """
    cotangent = np.zeros_like(values)
    rng = np.random.default_rng(1)
    for n, axis in enumerate(axes):
        place = np.moveaxis(cotangent[n], axis - 1, 0)
        index = round((len(place) - 1) * axes[:n].count(axis) / 2)
        place[index] = rng.standard_normal(place.shape[1:])
    return cotangent


def _reads_single_channels(gradient: Values, axes: Sequence[int], anchors: bool) -> bool:
    """Whether along some axis of the target each probe reads one channel, or some with weights that sum to zero.

    Where the target may have an axis of anchors, as a detector's, it reads one channel for each: up to a quarter.
    """
    for axis in set(axes):
        probes = [g for g, own in zip(gradient, axes, strict=True) if own == axis and g.any()]
        if probes and all(_in_channels(g, max(1, len(g) // 4) if anchors else 1) or _balanced(g, 0) for g in probes):
            return True
    return False


def _is_flattened(gradient: Values) -> bool:
    """Whether each unit of a vector reads few positions of one channel, or all of them through a softmax."""
    probes = [g for g in gradient if g.any()]
    few = [_in_channels(g, 1) and 2 * np.count_nonzero(g) <= g[0].size for g in probes]
    return bool(probes) and all(one or _balanced(g, None) for one, g in zip(few, probes, strict=True))


def _in_channels(gradient: Values, count: int) -> bool:
    """Whether no more than `count` channels hold the energy of a gradient (C, ...)."""
    energy = np.sort((gradient.astype(np.float64) ** 2).reshape(len(gradient), -1).sum(axis=1))
    return bool(energy[-count:].sum() >= SINGLE * energy.sum())


def _balanced(gradient: Values, axis: int | None) -> bool:
    """Whether a gradient sums to zero over channels at each position (axis 0), or over everything."""
    exact = gradient.astype(np.float64)
    return bool(np.abs(exact.sum(axis=axis)).sum() <= BALANCED * np.abs(exact).sum())
