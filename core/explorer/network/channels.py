"""Which unit of what it reads each unit of a layer without a kernel of its own is made from.

Normalisations, rectifiers, pooling, sums and products keep units apart: unit u is made from unit u. Concatenation puts
those of one layer behind those of another; flattening makes many of one; a slice takes some.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...introspection.linear_source import linear_source
from ...introspection.spatial_axes import lays_out_anew, only_chooses
from ...model.base import INPUT, Model
from ...model.reduction import unit_axis
from .structure import Structure

__all__ = ["Carried", "carried", "kernel_layer", "mixes_units"]

Numbers = np.ndarray[Any, Any]

_MIXES = ("matmul", "bmm", "einsum", "attention", "lstm", "gru", "rnn", "fft", "gemm", "linear", "dot")
_JOINS = frozenset({"cat", "concat", "concatenate"})
_FARTHEST = 64
"""Layers that are looked at on the way back to a kernel."""


@dataclass(frozen=True, eq=False)
class Carried:
    """What a layer takes over from one that it reads."""

    source: str
    units: Numbers
    """By unit of the layer the unit of the source, -1 for none."""


def carried(structure: Structure, name: str) -> tuple[Carried, ...]:
    """From each layer that this one reads, what becomes of its units; () where they are mixed, or nobody can tell.

    Args:
        structure: the network's.
        name: a layer; where a kernel is applied the answer is ().
    """
    model, read = structure.model, structure.inputs(name)
    layer, count = model.layers[name], structure.units(name)
    if not read or not count or name in structure.kernel_at:
        return ()
    if mixes_units(structure, name):
        return ()
    if structure.words(name) & _JOINS:
        return _joined(structure, read, count)
    if len(read) == 1 and (lays_out_anew(layer) or only_chooses(layer) or structure.units(read[0]) != count):
        return _laid_out(structure, name, count)
    same = [each for each in read if structure.units(each) == count]
    widest = max((_positions(model, each) for each in same), default=0)
    gates = not structure.words(name).isdisjoint({"mul", "multiply"})
    return tuple(Carried(each, np.arange(count)) for each in same if not gates or _positions(model, each) == widest)


def mixes_units(structure: Structure, name: str) -> bool:
    """Whether what is no kernel's place makes each unit from many: attention, a product of two layers."""
    return name not in structure.kernels and any(part in word for word in structure.words(name) for part in _MIXES)


def kernel_layer(structure: Structure, name: str) -> str | None:
    """The layer whose kernel gives the units of a layer, one by one; None where there is none.

    Behind a sum it is that of the branch that comes last in the network's order.
    """
    order = list(structure.model.layers)
    name = structure.origin(name)
    for _ in range(_FARTHEST):
        if name in structure.kernel_at:
            return structure.kernel_at[name]
        before = [
            each.source
            for each in carried(structure, name)
            if each.source != INPUT and np.array_equal(each.units, np.arange(structure.units(each.source)))
        ]
        if not before:
            return None
        name = max(before, key=order.index)
    return None


def _positions(model: Model, name: str) -> int:
    shape = model.layers[name].shape
    return int(np.prod([n or 1 for axis, n in enumerate(shape) if axis not in {0, unit_axis(len(shape))}]))


def _joined(structure: Structure, read: tuple[str, ...], count: int) -> tuple[Carried, ...]:
    counts = [structure.units(each) for each in read]
    if sum(counts) != count:  # along another axis: a token of a class before the others
        return tuple(Carried(each, np.arange(count)) for each, n in zip(read, counts, strict=True) if n == count)
    starts = np.cumsum([0, *counts])
    every = np.arange(count)
    return tuple(
        Carried(each, np.where((every >= start) & (every < start + n), every - start, -1))
        for each, start, n in zip(read, starts, counts, strict=False)
    )


def _laid_out(structure: Structure, name: str, count: int) -> tuple[Carried, ...]:
    """Back over all layers that only lay values out anew, to the first that does not."""
    model, source = structure.model, structure.inputs(name)[0]
    for _ in range(_FARTHEST):
        layer, read = model.layers[source], structure.inputs(source)
        if source == INPUT or len(read) != 1 or not (lays_out_anew(layer) or only_chooses(layer)):
            break
        (source,) = read
    found = linear_source(model, name, source) if source != name else None
    if found is None:
        return ()
    shape, before = _known_shape(model, name), _known_shape(model, source)
    axis, axis_before = unit_axis(len(shape) + 1) - 1, unit_axis(len(before) + 1) - 1
    values = np.flatnonzero(found.places.ravel() >= 0)
    of_source = np.unravel_index(values, before)[axis_before]
    of_layer = np.unravel_index(found.places.ravel()[values], shape)[axis]
    units = np.full(count, -1)
    units[of_layer] = of_source
    return (Carried(source, units),) if np.array_equal(units[of_layer], of_source) else ()


def _known_shape(model: Model, name: str) -> tuple[int, ...]:
    return tuple(model.input.example_shape) if name == INPUT else tuple(n or 1 for n in model.layers[name].shape[1:])
