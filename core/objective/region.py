"""A region of a layer's maps: painted in a mask, or a box in the image's pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError, TargetError
from ..model.base import INPUT, OUTPUT, Model
from .algebra import Activations, Objective

__all__ = ["Box", "Region", "box", "region"]

Values = np.ndarray[Any, Any]


class _Weighted(Objective):
    """The sum over positions of one channel of maps, each position times a weight."""

    layer: str
    index: int
    linear = True

    def _shares(self, activations: Activations) -> Values:
        """The weight of each position, (h, w)."""
        raise NotImplementedError

    def _weights(self, activations: Activations) -> Array:
        a = activations[self.layer]
        _refuse_index(self.layer, self.index, tuple(a.shape))
        weights = np.zeros(a.shape[1:], np.float32)
        weights[self.index] = self._shares(activations)
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
class Region(_Weighted):
    """The sum of a channel over a painted region; a position counts with the share of it that is painted."""

    layer: str
    index: int
    mask: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _shares(self, activations: Activations) -> Values:
        size = activations[self.layer].shape[2:]
        rows, columns = (_overlap(np.arange(n + 1) * (m / n), m) for n, m in zip(self.mask.shape, size, strict=True))
        return np.asarray(rows @ np.asarray(self.mask, np.float64) @ columns.T)

    def __str__(self) -> str:
        return f"region({self.layer!r}, {self.index}, {np.mean(self.mask):.1%} painted)"


@dataclass(frozen=True)
class Box(_Weighted):
    """The sum of a channel over a box in the image's pixels; a position counts with its share inside."""

    layer: str
    index: int
    corners: tuple[float, float, float, float]
    """(x0, y0, x1, y1), the right and the lower edge not included."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer, INPUT})

    def _shares(self, activations: Activations) -> Values:
        (tall, wide), (height, width) = (activations[name].shape[2:] for name in (INPUT, self.layer))
        self._refuse_outside(tall, wide)
        x0, y0, x1, y1 = self.corners
        rows = _overlap(np.asarray([y0, y1]) * (height / tall), height)
        columns = _overlap(np.asarray([x0, x1]) * (width / wide), width)
        return np.asarray(rows @ columns.T)

    def _refuse_outside(self, tall: int, wide: int) -> None:
        x0, y0, x1, y1 = self.corners
        if not (0 <= x0 < x1 <= wide and 0 <= y0 < y1 <= tall):
            raise TargetError(
                f"the box {x0:g}:{y0:g}:{x1:g}:{y1:g} (X0:Y0:X1:Y1 in pixels) does not lie inside the image: "
                f"0 <= X0 < X1 <= {wide} and 0 <= Y0 < Y1 <= {tall}"
            )

    def check(self, model: Model) -> None:
        super().check(model)
        height, width = model.input.shape[-2:]
        self._refuse_outside(height or 10**9, width or 10**9)

    def __str__(self) -> str:
        return f"box({self.layer!r}, {self.index}, {':'.join(f'{corner:g}' for corner in self.corners)})"


def _overlap(edges: Values, count: int) -> Values:
    """How much of each of `count` cells of length one lies in each interval between edges, (count, intervals)."""
    cells = np.arange(count)[:, None]
    inside: Values = np.clip(np.minimum(edges[None, 1:], cells + 1) - np.maximum(edges[None, :-1], cells), 0, None)
    return inside


def _refuse_index(name: str, index: int, shape: tuple[int | None, ...]) -> None:
    if len(shape) != 4:
        raise LayerError(f"a region needs maps (N, C, H, W); layer {name!r} gives {shape}")
    if shape[1] is not None and not 0 <= index < shape[1]:
        raise LayerError(
            f"channel {index} is out of range; layer {name!r} has {shape[1]} channels, 0 to {shape[1] - 1}"
        )


def region(layer: str, channel: int, mask: Any) -> Objective:
    """The sum of one channel of maps over a painted region: a class of a segmentation in an object, for example.

    Args:
        layer: with maps (N, C, H, W).
        channel: the channel, or class.
        mask: (H, W) of any size, from 0 to 1; laid over the whole map, each position counts with its painted share.

    Raises:
        TargetError: the mask is no such array, or nothing is painted.
    """
    values = np.asarray(mask, np.float32)
    if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise TargetError(f"a mask is an array (H, W) of values from 0 to 1; this one has shape {values.shape}")
    if not values.any():
        raise TargetError("nothing is painted in the mask")
    return Region(layer, channel, values)


def box(layer: str, channel: int, x0: float, y0: float, x1: float, y1: float) -> Objective:
    """The sum of one channel of maps over a box, given in pixels of the image; x1 and y1 are not included."""
    return Box(layer, channel, (float(x0), float(y0), float(x1), float(y1)))
