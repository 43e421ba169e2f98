"""What pixels the values of a tensor can depend on: an interval of rows and one of columns for each value.

A tensor's `Dependence` is followed forward through a network, operator by operator, as its values are. Each value's
interval along an axis of the image is kept as numbers in arrays that broadcast to the tensor: rows of a feature map
(N, C, H, W) need (1, 1, H, 1). All operators that slide a window, pad, crop, resize or index are one step, `taps`:
which positions of the input each output reads. Where branches meet, the intervals are united. That is the recurrence of
Araujo, Norris and Sim 2019 ("Computing Receptive Fields of Convolutional Neural Networks",
https://distill.pub/2019/computing-receptive-fields), value by value: it needs no assumption on padding or alignment.

Two intervals are kept. The clipped one holds the pixels that exist. The unclipped one goes on into the padding, as if
the image did: its length does not depend on the position, and is what tables of receptive fields give. What sums over
all positions (global pooling, attention, a dense layer) has no such length: its unclipped interval is infinite.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

__all__ = ["NOWHERE", "Dependence", "Indices"]

Bounds: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""(4, ...): start and -stop clipped, start and -stop unclipped: to unite intervals is the minimum of all four."""
Indices: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""(outputs, taps): positions of the input along an axis that each output reads; beyond it stands padding."""

FAR = 1 << 40
NOWHERE = -(1 << 30)
"""In `Indices`: this output reads fewer positions than others do."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """Of a tensor of one image, the batch axis of length 1 included."""

    shape: tuple[int, ...]
    bounds: tuple[Bounds, ...]
    """For each axis of the image, (4, ...), each further axis as long as that of the tensor or 1."""
    carriers: tuple[int | None, ...]
    """For each axis of the image, the axis of the tensor that runs along it; None where none does, or several."""
    strides: tuple[float, ...]
    """For each axis of the image, how many pixels lie between neighbours in the tensor."""
    unknown: frozenset[str] = frozenset()
    """Operators on the way that are not known: there the intervals are the largest that can be."""

    @classmethod
    def of_image(cls, shape: Sequence[int]) -> "Dependence":
        """Each pixel of an image (1, C, H, W) or (1, C, D, H, W) depends on itself."""
        bounds = []
        for axis in range(2, len(shape)):
            start = np.arange(shape[axis])
            pixels = np.stack([start, -start - 1] * 2)
            bounds.append(pixels.reshape(4, *(shape[axis] if a == axis else 1 for a in range(len(shape)))))
        return cls(tuple(shape), tuple(bounds), tuple(range(2, len(shape))), (1.0,) * len(bounds))

    def _with(self, shape: Sequence[int], bounds: Sequence[Bounds], carriers: Sequence[int | None]) -> "Dependence":
        return replace(self, shape=tuple(shape), bounds=tuple(bounds), carriers=tuple(carriers))

    def taps(self, axis: int, indices: Indices, stride: float = 1.0) -> "Dependence":
        """Each output reads some positions along an axis.

        Args:
            axis: of the tensor.
            indices: (outputs, taps) positions read; those beyond the axis are padding, `NOWHERE` is nothing.
            stride: how many positions of the input lie between neighbouring outputs.
        """
        axis %= len(self.shape)
        shape = (*self.shape[:axis], len(indices), *self.shape[axis + 1 :])
        bounds, strides = [], list(self.strides)
        for image_axis, (values, carrier) in enumerate(zip(self.bounds, self.carriers, strict=True)):
            if values.shape[axis + 1] == 1 and carrier != axis and _all_read(indices, self.shape[axis]):
                bounds.append(values)
                continue
            along = np.broadcast_to(values, (*values.shape[: axis + 1], self.shape[axis], *values.shape[axis + 2 :]))
            bounds.append(_tapped(along, axis + 1, indices, self.strides[image_axis] if carrier == axis else 0.0))
            if carrier == axis:
                strides[image_axis] *= stride
        return replace(self, shape=shape, bounds=tuple(bounds), strides=tuple(strides))

    def mixed(self, axis: int, length: int) -> "Dependence":
        """Each of `length` outputs along an axis, such as the channels, reads all positions along it."""
        axis %= len(self.shape)
        bounds = [values.min(axis=axis + 1, keepdims=True) for values in self.bounds]
        carriers = [None if carrier == axis else carrier for carrier in self.carriers]
        return self._with((*self.shape[:axis], length, *self.shape[axis + 1 :]), bounds, carriers)

    def reduced(self, axes: Sequence[int]) -> "Dependence":
        """All positions along some axes become one each, which stays as an axis of length 1.

        Where that leaves nothing of the positions in the image, the unclipped interval is infinite.
        """
        axes = tuple(axis % len(self.shape) for axis in axes)
        shape = [1 if axis in axes else n for axis, n in enumerate(self.shape)]
        bounds = [_reduced(values, tuple(axis + 1 for axis in axes)) for values in self.bounds]
        carriers = [None if c in axes and self.shape[c] > 1 else c for c in self.carriers]
        return self._with(shape, bounds, carriers)

    def transposed(self, order: Sequence[int]) -> "Dependence":
        """The axes in another order, as `numpy.transpose` takes it."""
        order = [axis % len(self.shape) for axis in order]
        bounds = [values.transpose(0, *(axis + 1 for axis in order)) for values in self.bounds]
        carriers = [None if c is None else order.index(c) for c in self.carriers]
        return self._with([self.shape[axis] for axis in order], bounds, carriers)

    def reshaped(self, shape: Sequence[int]) -> "Dependence":
        """The same values under other axes, in their order in memory."""
        groups = _matching_axes(self.shape, shape)
        bounds = []
        for values in self.bounds:
            stored, target = [4], [4]
            for old, new in groups:
                constant = all(values.shape[axis + 1] == 1 for axis in old)
                stored += [values.shape[axis + 1] if constant else self.shape[axis] for axis in old]
                target += [1 if constant else shape[axis] for axis in new]
            bounds.append(np.broadcast_to(values, stored).reshape(target))
        single = {old[0]: new[0] for old, new in ((_longer(o, self.shape), _longer(n, shape)) for o, n in groups)
                  if len(old) == 1 and len(new) == 1}  # fmt: skip
        return self._with(shape, bounds, [None if c is None else single.get(c) for c in self.carriers])

    def broadcast(self, shape: Sequence[int]) -> "Dependence":
        """Repeated along axes of length 1 and along new axes in front, as NumPy broadcasts."""
        new = len(shape) - len(self.shape)
        bounds = [values.reshape(4, *(1,) * new, *values.shape[1:]) for values in self.bounds]
        carriers = [None if c is None else c + new for c in self.carriers]
        return self._with(shape, bounds, carriers)

    def moved(self, source: "np.ndarray[Any, np.dtype[np.int64]]") -> "Dependence":
        """Each output copies one value: its number in this tensor, row by row, for every output; -1 for none."""
        bounds = []
        for values in self.bounds:
            along = np.broadcast_to(values, (4, *self.shape)).reshape(4, -1)
            made = np.where(source < 0, FAR, along[:, np.maximum(source, 0).ravel()].reshape(4, *source.shape))
            for axis in range(1, made.ndim):
                first = np.take(made, [0], axis=axis)
                made = first if (made == first).all() else made
            bounds.append(made)
        return self._with(source.shape, bounds, [None] * len(bounds))

    def where(self, read: "np.ndarray[Any, Any]") -> "Dependence":
        """Values whose entry is False depend on nothing, as where a product has the factor 0; it broadcasts."""
        kept = read.reshape(1, *(1,) * (len(self.shape) - read.ndim), *read.shape)
        return self._with(self.shape, [np.where(kept, values, FAR) for values in self.bounds], self.carriers)

    def flat(self, shape: Sequence[int], unknown: str = "") -> "Dependence":
        """Every value of a tensor of this shape reads all of this one; by an operator that is not known, if named."""
        names = frozenset({unknown}) if unknown else frozenset()
        bounds = [
            _reduced(values, tuple(range(1, values.ndim))).reshape(4, *(1,) * len(shape)) for values in self.bounds
        ]
        if unknown:
            bounds = [_whole(values) for values in bounds]
        made = self._with(shape, bounds, [None] * len(bounds))
        return replace(made, unknown=self.unknown | names)

    def union(self, *others: "Dependence") -> "Dependence":
        """Each value reads what the values at its place in several tensors of one shape read."""
        return united([self, *others], self.shape)


def united(parts: Sequence[Dependence], shape: Sequence[int]) -> Dependence:
    """Each value of a tensor of this shape reads the values at its place in several, which broadcast to it."""
    wide = [part.broadcast(shape) for part in parts]
    return _joined(wide, shape, [_minimum([part.bounds[axis] for part in wide]) for axis in range(len(wide[0].bounds))])


def concatenated(parts: Sequence[Dependence | None], axis: int, lengths: Sequence[int]) -> Dependence:
    """Tensors one after the other along an axis; None is one that depends on no pixel.

    Args:
        parts: what is joined, at least one of them not None.
        axis: along which.
        lengths: of each part along the axis.
    """
    known = [part for part in parts if part is not None]
    rank = len(known[0].shape)
    axis %= rank
    shape = [*known[0].shape[:axis], sum(lengths), *known[0].shape[axis + 1 :]]
    bounds = []
    for image_axis in range(len(known[0].bounds)):
        pieces = [np.full((4, *(1,) * rank), FAR) if p is None else p.bounds[image_axis] for p in parts]
        alike = all(np.array_equal(piece, pieces[0]) and piece.shape[axis + 1] == 1 for piece in pieces)
        bounds.append(pieces[0] if alike else _end_to_end(pieces, axis + 1, lengths))
    return _joined(known, shape, bounds)


def product(a: Dependence | None, b: Dependence | None, shape: Sequence[int]) -> Dependence:
    """A matrix product of two tensors of rank 2 or more; None is one that depends on no pixel."""
    parts = []
    for part, axis in ((a, -1), (b, -2)):
        if part is not None:
            parts.append(part.reduced([axis]))
    return united(parts, shape)


def _joined(parts: Sequence[Dependence], shape: Sequence[int], bounds: Sequence[Bounds]) -> Dependence:
    """Bounds of several tensors together; an axis of the image is carried where all that vary along it agree."""
    carriers, strides = [], []
    for axis in range(len(bounds)):
        carried = {part.carriers[axis] for part in parts if part.carriers[axis] is not None}
        carriers.append(carried.pop() if len(carried) == 1 else None)
        strides.append(max(part.strides[axis] for part in parts))
    unknown = frozenset[str]().union(*(part.unknown for part in parts))
    return Dependence(tuple(shape), tuple(bounds), tuple(carriers), tuple(strides), unknown)


def _minimum(values: Sequence[Bounds]) -> Bounds:
    least = values[0]
    for each in values[1:]:
        least = np.minimum(least, each)
    return least


def _end_to_end(pieces: Sequence[Bounds], axis: int, lengths: Sequence[int]) -> Bounds:
    others = np.broadcast_shapes(*((*p.shape[:axis], 1, *p.shape[axis + 1 :]) for p in pieces))
    wide = [np.broadcast_to(p, (*others[:axis], n, *others[axis + 1 :])) for p, n in zip(pieces, lengths, strict=True)]
    return np.concatenate(wide, axis=axis)


def _all_read(indices: Indices, length: int) -> bool:
    """Whether every output reads at least one position that exists."""
    return bool(((indices >= 0) & (indices < length)).any(axis=1).all())


def _tapped(values: Bounds, axis: int, indices: Indices, pixels: float) -> Bounds:
    """The union over taps; the unclipped interval goes on beyond the axis by so many pixels a position."""
    length = values.shape[axis]
    inside = np.clip(indices, 0, max(length - 1, 0))
    beyond = np.where(indices == NOWHERE, 0, indices - inside)
    made: list[Bounds] = []
    for tap in range(indices.shape[1]):
        read = np.take(values, inside[:, tap], axis=axis)
        along = tuple(-1 if a == axis - 1 else 1 for a in range(values.ndim - 1))
        missing = (indices[:, tap] == NOWHERE).reshape(along)
        shift = np.rint(beyond[:, tap] * pixels).astype(np.int64).reshape(along)
        outside = (beyond[:, tap] != 0).reshape(along)
        clipped = np.where(missing | outside, FAR, read[:2])
        reached = read[2:] + np.stack([shift, -shift])
        reached = np.where(np.abs(read[2:]) >= FAR // 2, read[2:], reached)
        made.append(np.concatenate([clipped, np.where(missing, FAR, reached)]))
    return _minimum(made)


def _reduced(values: Bounds, axes: tuple[int, ...]) -> Bounds:
    """The union along axes, infinite where positions were united and all that any position reads is read."""
    least: Bounds = values.min(axis=axes, keepdims=True)
    if not any(_moves(values, axis) for axis in axes):
        return least
    everything = values[:2].min(axis=tuple(range(1, values.ndim)), keepdims=True)
    whole = (least[:2] == everything).all(axis=0)
    return np.concatenate([least[:2], np.where(whole, -FAR, least[2:])])


def _whole(values: Bounds) -> Bounds:
    return np.concatenate([values[:2], np.full_like(values[2:], -FAR)])


def _moves(values: Bounds, axis: int) -> bool:
    """Whether neighbours along an axis lie at other places: neither interval holds the other."""
    n = values.shape[axis]
    before, after = (np.take(values[2:], range(*ends), axis=axis) for ends in ((0, n - 1), (1, n)))
    nested = (before <= after).all(axis=0) | (before >= after).all(axis=0)
    return not bool(nested.all())


def _longer(axes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """The axes longer than 1; of only such ones the last."""
    return [axis for axis in axes if shape[axis] > 1] or list(axes[-1:])


def _matching_axes(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Groups of old and new axes that hold the same values each: the shortest ones.

    >>> _matching_axes((1, 8, 4, 4), (1, 8, 16))
    [([0], [0]), ([1], [1]), ([2, 3], [2])]
    """
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = list(range(i, min(i + 1, len(old)))), list(range(j, min(j + 1, len(new))))
        count: Callable[[Sequence[int], Sequence[int]], int] = lambda s, axes: int(np.prod([s[x] for x in axes]))  # noqa: E731
        while count(old, a) != count(new, b):
            if (count(old, a) < count(new, b) and i + len(a) < len(old)) or j + len(b) >= len(new):
                a.append(i + len(a))
            else:
                b.append(j + len(b))
        groups.append((a, b))
        i, j = i + len(a), j + len(b)
    return groups
