"""The kernel between a layer and those before it, through all that keeps units apart.

From a layer the way goes back, by normalisations, rectifiers, pooling, sums and concatenations, to the nearest kernel,
and on until it reaches a layer at which it is to end. Where several kernels follow each other they are multiplied, as
if the rectifiers between them let all values pass ("expanded weights", Voss et al. 2021,
https://distill.pub/2020/circuits/visualizing-weights); dilation is not known and counts as 1.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import inf
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...model.base import INPUT
from ...model.reduction import unit_axis
from .channels import Carried, carried, mixes_units
from .norm_gains import NormGains
from .structure import Structure

__all__ = ["KernelWalk", "Taps"]

Numbers = np.ndarray[Any, Any]
Offset = tuple[int, ...]
Taps = Mapping[Offset, Numbers]
"""By position in the kernel, from its middle, a matrix (units, units that are read)."""

MOST_KERNELS = 4
"""That are multiplied, depthwise ones apart."""
_MOST_NUMBERS = 1 << 26
"""Of a kernel of some units between two layers: 256 MiB."""
_MOST_PRODUCTS = 1 << 35
"""Multiplications for one pair of kernels and 256 units: a few seconds."""


@dataclass(frozen=True, eq=False)
class _Way:
    """From some units of the layer where the walk began to a layer on the way."""

    taps: Taps | None
    """None at the beginning, where each unit is itself."""
    kernels: int = 0
    at_start: bool = True
    """Whether this is still the place where the walk began, as other layers give it."""


@dataclass(eq=False)
class KernelWalk:
    """Walks of one network."""

    structure: Structure
    ends: Collection[str]
    """Layers at which a walk ends."""
    _kernels: dict[str, Any] = field(default_factory=dict)
    _carried: dict[str, tuple[Carried, ...]] = field(default_factory=dict)

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {name: n for n, name in enumerate(self.structure.model.layers)}

    @cached_property
    def _gains(self) -> NormGains:
        return NormGains(self.structure)

    def back_from(self, layer: str, rows: Sequence[int], most: int = MOST_KERNELS) -> Mapping[str, Taps]:
        """The kernels between some units of a layer and those before it, by layer.

        These are `ends`, where one is within reach; else what the first kernel reads, layers of which it cannot be told
        how to go on, and sums. The image is left out.

        Args:
            layer: where the walk begins.
            rows: units of it.
            most: kernels on one way.
        """
        waiting = {self.structure.origin(layer): _Way(None)}
        found: dict[str, Taps] = {}
        while waiting:
            name = max(waiting, key=self._place.__getitem__)
            way = waiting.pop(name)
            steps = () if self._ends_at(name, way, most) else self._steps(name, way, rows, most)
            if not steps and not way.at_start and name != INPUT:
                found[name] = way.taps or {(0, 0): _identity(self.structure.units(name), rows)}
            for source, step in steps:
                count = self.structure.units(source)
                waiting[source] = _merged(waiting[source], step, count, rows) if source in waiting else step
        return found

    def _ends_at(self, name: str, way: _Way, most: int) -> bool:
        """Whether a way ends: at one of `ends`, and where none is within reach behind the first kernel or at a sum."""
        if way.at_start or name == INPUT:
            return name == INPUT
        is_far = self._distance[name] > most - way.kernels
        return name in self.ends or (is_far and (way.kernels > 0 or len(self.structure.inputs(name)) > 1))

    @cached_property
    def _distance(self) -> Mapping[str, float]:
        """By layer the fewest kernels, depthwise ones apart, through which one of `ends` leads to it."""
        found: dict[str, float] = {}
        for name in self.structure.model.layers:
            before = [found[read] for read in self.structure.inputs(name) if read in found]
            shape = self.structure.kernels.get(self.structure.kernel_at.get(name, ""))
            if name in self.ends:
                found[name] = 0
            elif not before or (shape is None and mixes_units(self.structure, name)):
                found[name] = inf
            else:
                found[name] = min(before) + (shape is not None and shape[1] > 1)
        return found

    def forget(self) -> None:
        """Let go of the kernels that were read."""
        self._kernels.clear()

    def _steps(self, name: str, way: _Way, rows: Sequence[int], most: int) -> Sequence[tuple[str, _Way]]:
        if name in self.structure.kernel_at:
            return self._through_kernel(name, way, rows, most)
        if name not in self._carried:
            self._carried[name] = carried(self.structure, name)
        before = self._carried[name]
        gain = self._gains.of(name)
        steps = []
        for each in before:
            stride = _stride(self.structure, each.source, name)
            taps = _gathered(way.taps, each, self.structure.units(each.source), rows, gain, stride)
            at_start = way.at_start and len(before) == 1 and _units_stay(each)
            if not _is_too_large(taps):
                steps.append((each.source, _Way(taps, way.kernels, at_start)))
        return steps

    def _through_kernel(self, name: str, way: _Way, rows: Sequence[int], most: int) -> Sequence[tuple[str, _Way]]:
        parts, source = self._kernel(name)
        if source is None or way.kernels >= most:
            return ()
        taps, stride = way.taps, _stride(self.structure, source, name)
        for is_last, (matrices, one_to_one) in zip((*[False] * (len(parts) - 1), True), parts, strict=True):
            if _products(taps, matrices, len(rows), one_to_one) > _MOST_PRODUCTS:
                return ()
            taps = _multiplied(taps, matrices, rows, stride if is_last else (1, 1), one_to_one)
            if _is_too_large(taps):
                return ()
        mixes = any(not one_to_one for _, one_to_one in parts)
        return ((source, _Way(taps, way.kernels + mixes, at_start=False)),)

    def _kernel(self, name: str) -> tuple[list[tuple[Taps, bool]], str | None]:
        """A layer's kernels as matrices, the last that is applied first, and the layer that they read."""
        if name not in self._kernels:
            weights = self.structure.model.weights(self.structure.kernel_at[name])
            inner = as_numpy(weights["depthwise_kernel"]) if "depthwise_kernel" in weights else None
            kernel = as_numpy(weights["kernel"])
            first = kernel if inner is None else inner
            counts = {read: self.structure.units(read) for read in self.structure.inputs(name)}
            fits = [
                read
                for read, n in counts.items()
                if n and n % first.shape[1] == 0 and (first.ndim > 2 or n == first.shape[1])
            ]
            source = fits[0] if fits else None
            parts = []
            if source is not None:
                between = counts[source] if inner is None else len(inner)
                parts = [_matrices(kernel, between)]
                parts += [_matrices(inner, counts[source])] if inner is not None else []
            self._kernels[name] = parts, source
        found: tuple[list[tuple[Taps, bool]], str | None] = self._kernels[name]
        return found


def _matrices(kernel: Numbers, inputs: int) -> tuple[Taps, bool]:
    """(out, in / groups, ...) by position; of a depthwise kernel (out,) numbers, where each unit has its own input."""
    groups = inputs // kernel.shape[1]
    middles = [(size - 1) // 2 for size in kernel.shape[2:]]
    offsets = list(product(*(range(-m, n - m) for m, n in zip(middles, kernel.shape[2:], strict=True)))) or [(0, 0)]
    flat = kernel.reshape(*kernel.shape[:2], -1)
    if groups == inputs == len(kernel) and groups > 1:
        return {offset: np.ascontiguousarray(flat[:, 0, t]) for t, offset in enumerate(offsets)}, True
    if groups > 1:
        full = np.zeros((len(kernel), inputs, flat.shape[2]), kernel.dtype)
        for unit in range(len(kernel)):
            start = unit // (len(kernel) // groups) * kernel.shape[1]
            full[unit, start : start + kernel.shape[1]] = flat[unit]
        flat = full
    return {offset: np.ascontiguousarray(flat[:, :, t]) for t, offset in enumerate(offsets)}, False


def _multiplied(
    taps: Taps | None, matrices: Taps, rows: Sequence[int], stride: Sequence[int], one_to_one: bool
) -> Taps:
    """A kernel on top of another one, whose neighbouring outputs lie `stride` positions of its input apart.

    Args:
        taps: of the upper one; None for the units themselves.
        matrices: of the lower one; numbers of each unit where it is `one_to_one`.
        rows: units of the layer where the walk began.
        stride: of the lower one, by axis.
        one_to_one: whether each unit of the lower one has its own input.
    """
    made: dict[Offset, Numbers] = {}
    if taps is None and not one_to_one:
        return {offset: matrix[rows] for offset, matrix in matrices.items()}
    for above, upper in (taps or {(0, 0): _identity(len(next(iter(matrices.values()))), rows)}).items():
        for below, matrix in matrices.items():
            part = upper * matrix if one_to_one else upper @ matrix
            offset = _sum(above, stride, below)
            made[offset] = made[offset] + part if offset in made else part
    return made


def _sum(above: Offset, stride: Sequence[int], below: Offset) -> Offset:
    axes = max(len(above), len(below))
    padded = [(*each, *(0,) * (axes - len(each))) for each in (above, below)]
    strides = (*stride, *(1,) * axes)
    return tuple(a * s + b for a, s, b in zip(padded[0], strides, padded[1], strict=False))


def _gathered(
    taps: Taps | None, each: Carried, count: int, rows: Sequence[int], gain: Numbers | None, stride: Sequence[int]
) -> Taps | None:
    """Through a layer without a kernel; several of its units made from one of the source are positions of a kernel.

    Args:
        taps: of what reads the layer; None for its units themselves.
        each: what becomes of the source's units.
        count: how many the source has.
        rows: units of the layer where the walk began.
        gain: (units,) by which the layer multiplies.
        stride: by axis, how many positions of the source lie between the layer's.
    """
    is_same = len(each.units) == count and _units_stay(each)
    if taps is None and is_same and gain is None:
        return None
    given = taps or {(0, 0): _identity(len(each.units), rows)}
    if gain is not None:
        given = {offset: matrix * gain for offset, matrix in given.items()}
    if is_same:
        return {_sum(offset, stride, (0,)): matrix for offset, matrix in given.items()} if max(stride) > 1 else given
    read = np.flatnonzero(each.units >= 0)
    order = read[np.argsort(each.units[read], kind="stable")]
    sources = each.units[order]
    starts = np.r_[0, np.flatnonzero(np.diff(sources)) + 1]
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    made: dict[Offset, Numbers] = {}
    for offset, matrix in given.items():
        for r in range(int(rank.max(initial=-1)) + 1):
            chosen = rank == r
            part = np.zeros((len(matrix), count), matrix.dtype)
            part[:, sources[chosen]] = matrix[:, order[chosen]]
            made[(*offset, r) if rank.any() else offset] = part
    return made


def _units_stay(each: Carried) -> bool:
    return np.array_equal(each.units, np.arange(len(each.units)))


def _identity(count: int, rows: Sequence[int]) -> Numbers:
    matrix = np.zeros((len(rows), count), np.float32)
    matrix[np.arange(len(rows)), rows] = 1
    return matrix


def _merged(first: _Way, second: _Way, count: int, rows: Sequence[int]) -> _Way:
    """Two ways that meet at a layer with so many units."""
    taps: dict[Offset, Numbers] = {}
    for each in (first.taps, second.taps):
        for offset, matrix in (each or {(0, 0): _identity(count, rows)}).items():
            taps[offset] = taps[offset] + matrix if offset in taps else matrix
    return _Way(taps, max(first.kernels, second.kernels), at_start=False)


def _is_too_large(taps: Taps | None) -> bool:
    return taps is not None and sum(matrix.size for matrix in taps.values()) > _MOST_NUMBERS


def _products(taps: Taps | None, matrices: Taps, rows: int, one_to_one: bool) -> int:
    if taps is None or one_to_one:
        return 0
    return len(taps) * rows * sum(matrix.size for matrix in matrices.values())


def _stride(structure: Structure, source: str, name: str) -> tuple[int, ...]:
    """By axis of positions, how many of the source lie between two of a layer."""
    shapes = []
    for each in (source, name):
        model = structure.model
        shape = model.input.example_shape if each == INPUT else model.layers[each].shape[1:]
        axis = unit_axis(len(shape) + 1) - 1
        shapes.append([n or 1 for place, n in enumerate(shape) if place != axis])
    if len(shapes[0]) != len(shapes[1]) or not shapes[0]:
        return (1, 1)
    return tuple(max(1, round(before / now)) for before, now in zip(*shapes, strict=True))
