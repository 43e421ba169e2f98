"""Max pooling undone without its switches, the positions of the maxima: each value is spread over its window."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import LayerError
from crosslens.model import Model

__all__ = ["Pooling", "max_poolings"]

KERNELS, STRIDES, PADDINGS = (2, 3), (2, 3, 1), (0, 1)
TOLERANCE = 1e-4
"""How far rounding may take two gradients apart, as a share of the largest."""


@dataclass(frozen=True)
class Pooling:
    """A max pooling of square windows, and the layer that it reads."""

    layer: str
    before: str
    kernel: int
    stride: int
    padding: int

    def spread(self, dy: Array, like_it: Array) -> Array:
        """Each value of `dy`, (N, C, h, w), in equal parts to all positions of its window, (N, C, H, W)."""
        rows, columns = (self._shares(m, n) for m, n in zip(dy.shape[2:], like_it.shape[2:], strict=True))
        return like(rows.T, dy) @ dy @ like(columns, dy)

    def _shares(self, m: int, n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """(m, n): along one axis, the positions that each window holds, in equal parts."""
        starts = np.arange(m) * self.stride - self.padding
        positions = np.arange(n)
        inside = (positions >= starts[:, None]) & (positions < starts[:, None] + self.kernel)
        return np.asarray(inside / np.maximum(inside.sum(axis=1, keepdims=True), 1))

    def turns(self, x: Array, y: Array) -> bool:
        """Whether this pooling of `x` gives `y`."""
        sizes = tuple(-(-(n + 2 * self.padding - self.kernel) // self.stride) + 1 for n in x.shape[2:])
        if x.shape[1] != y.shape[1] or not all(m - 1 <= k <= m for k, m in zip(y.shape[2:], sizes, strict=True)):
            return False
        pooled = x
        for axis in (2, 3):
            pooled = self._largest(pooled, y.shape[axis], axis)
        return bool(namespace(y).all(pooled == y))

    def _largest(self, x: Array, m: int, axis: int) -> Array:
        """The largest value of each window along one axis."""
        xp, n = namespace(x), x.shape[axis]
        windows = [range(max(k * self.stride - self.padding, 0), n)[: self._width(k, n)] for k in range(m)]
        parts = [xp.take(x, xp.asarray(list(w), dtype=xp.int64, device=x.device), axis=axis) for w in windows]
        return xp.concat([xp.max(part, axis=axis, keepdims=True) for part in parts], axis=axis)

    def _width(self, k: int, n: int) -> int:
        start = k * self.stride - self.padding
        return min(start + self.kernel, n) - max(start, 0)


def max_poolings(model: Model, activations: Mapping[str, Array]) -> Iterator[Pooling]:
    """The max poolings of a network, from the last to the first, each recognised by the activations around it.

    Raises:
        LayerError: a pooling of another kind of window, or one whose input is not a layer of this model.
    """
    names = list(activations)
    for name in reversed([n for n in names if model.layers[n].kind.lower().replace("_", "").startswith("maxpool")]):
        yield _recognise(name, names[: names.index(name)], activations)


def _recognise(name: str, before: list[str], activations: Mapping[str, Array]) -> Pooling:
    for source, kernel, stride, padding in product(reversed(before), KERNELS, STRIDES, PADDINGS):
        pooling = Pooling(name, source, kernel, stride, padding)
        if activations[source].ndim == 4 and pooling.turns(activations[source], activations[name]):
            return pooling
    raise LayerError(
        f"the input of the pooling {name!r} is not a layer of this model, or its windows are neither 2 nor 3 wide, "
        "so it cannot be undone without its switches; leave switches=True"
    )
