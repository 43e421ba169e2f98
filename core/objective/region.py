"""A channel summed over a region of a layer's maps: a mask, or a box in pixels of the image."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError, TargetError
from ..model.base import INPUT, OUTPUT, Model
from .algebra import Activations, Objective

__all__ = ["Box", "Region", "box", "region"]

Values = np.ndarray[Any, Any]


class _WeightedChannel(Objective):
    """A weighted sum over positions of one channel of maps."""

    layer: str
    index: int
    linear = True

    def _position_weights(self, activations: Activations) -> Values:
        """The weight of each position, (h, w)."""
        raise NotImplementedError

    def _weights(self, activations: Activations) -> Array:
        a = activations[self.layer]
        _refuse_index(self.layer, self.index, tuple(a.shape))
        weights = np.zeros(a.shape[1:], np.float32)
        weights[self.index] = self._position_weights(activations)
        return like(weights, a)[None, ...]

    def value(self, activations: Activations) -> Array:
        a = activations[self.layer]
        return namespace(a).sum(a * self._weights(activations), axis=(1, 2, 3))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.layer]
        return {self.layer: namespace(a).zeros_like(a) + self._weights(activations)}

    def check(self, model: Model) -> None:
        shape = model.layers[OUTPUT].shape if self.layer == OUTPUT else model.layer(self.layer).shape
        _refuse_index(self.layer, self.index, shape)


@dataclass(frozen=True, eq=False)
class Region(_WeightedChannel):
    """The sum of a channel over a mask; the weight of a position is the share of it that is painted."""

    layer: str
    index: int
    mask: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _position_weights(self, activations: Activations) -> Values:
        size = activations[self.layer].shape[2:]
        rows, columns = (_overlap(np.arange(n + 1) * (m / n), m) for n, m in zip(self.mask.shape, size, strict=True))
        return np.asarray(rows @ np.asarray(self.mask, np.float64) @ columns.T)

    def __str__(self) -> str:
        return f"region({self.layer!r}, {self.index}, {np.mean(self.mask):.1%} painted)"


@dataclass(frozen=True)
class Box(_WeightedChannel):
    """The sum of a channel over a box in pixels of the image; the weight of a position is its share inside."""

    layer: str
    index: int
    corners: tuple[float, float, float, float]
    """(x0, y0, x1, y1), the right and the lower edge not included."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer, INPUT})

    def _position_weights(self, activations: Activations) -> Values:
        (image_height, image_width), (height, width) = (activations[name].shape[2:] for name in (INPUT, self.layer))
        self._refuse_outside(image_height, image_width)
        x0, y0, x1, y1 = self.corners
        rows = _overlap(np.asarray([y0, y1]) * (height / image_height), height)
        columns = _overlap(np.asarray([x0, x1]) * (width / image_width), width)
        return np.asarray(rows @ columns.T)

    def _refuse_outside(self, height: int, width: int) -> None:
        """Refuse a box that is not inside an image of this size."""
        x0, y0, x1, y1 = self.corners
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise TargetError(
                f"the box {x0:g}:{y0:g}:{x1:g}:{y1:g} (X0:Y0:X1:Y1 in pixels) does not lie inside the image: "
                f"0 <= X0 < X1 <= {width} and 0 <= Y0 < Y1 <= {height}"
            )

    def check(self, model: Model) -> None:
        super().check(model)
        height, width = model.input.shape[-2:]
        self._refuse_outside(height or 10**9, width or 10**9)

    def __str__(self) -> str:
        return f"box({self.layer!r}, {self.index}, {':'.join(f'{corner:g}' for corner in self.corners)})"


def _overlap(edges: Values, count: int) -> Values:
    """The length that each of `count` cells of length 1 has in each interval between edges, (count, intervals)."""
    cells = np.arange(count)[:, None]
    lengths: Values = np.clip(np.minimum(edges[None, 1:], cells + 1) - np.maximum(edges[None, :-1], cells), 0, None)
    return lengths


def _refuse_index(name: str, index: int, shape: tuple[int | None, ...]) -> None:
    if len(shape) != 4:
        raise LayerError(f"a region needs maps (N, C, H, W); layer {name!r} gives {shape}")
    if shape[1] is not None and not 0 <= index < shape[1]:
        raise LayerError(
            f"channel {index} is out of range; layer {name!r} has {shape[1]} channels, 0 to {shape[1] - 1}"
        )


def region(layer: str, channel: int, mask: Any) -> Objective:
    """The sum of one channel of maps over a painted region: one class of a segmentation on one object, for example.

    Args:
        layer: a layer with maps (N, C, H, W).
        channel: the channel, or class.
        mask: (H, W) of any size, values from 0 to 1, stretched over the whole map; the weight of a position is the
            share of it that is painted.

    Raises:
        TargetError: the mask is not such an array, or it is 0 everywhere.
    """
    values = np.asarray(mask, np.float32)
    if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise TargetError(f"a mask must be an array (H, W) of values from 0 to 1; this one has shape {values.shape}")
    if not values.any():
        raise TargetError("the mask is 0 everywhere: nothing is painted in it")
    return Region(layer, channel, values)


def box(layer: str, channel: int, x0: float, y0: float, x1: float, y1: float) -> Objective:
    """The sum of one channel of maps over a box, given in pixels of the image as the network sees it.

    Args:
        layer: a layer with maps (N, C, H, W).
        channel: the channel, or class.
        x0: left edge.
        y0: upper edge.
        x1: right edge, not included.
        y1: lower edge, not included.
    """
    return Box(layer, channel, (float(x0), float(y0), float(x1), float(y1)))
