"""Which units a unit reads, and which read it, by the kernel between the two.

Listed are those with the largest Euclidean norms of the kernel, which tells an edge from nothing where the sum of the
kernel, the weight, does not; of these the largest weights come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...model.base import INPUT, Model
from ..book import Book
from .kernels_between import KernelWalk, Taps
from .structure import Structure, unit_count

__all__ = ["read_by", "reads"]

Numbers = np.ndarray[Any, Any]
Links = list[Mapping[str, Any]]

MOST = 12
"""Units that are listed."""
_AT_ONCE = 256
"""Units whose kernels are held at a time."""


@dataclass(frozen=True, eq=False)
class _Strongest:
    """For each unit of a layer the units at the other end of its largest kernels, (units, MOST), the largest first."""

    layers: Numbers
    """Their layers' ids; -1 for none."""
    units: Numbers
    weights: Numbers
    norms: Numbers

    @classmethod
    def nothing(cls, count: int) -> "_Strongest":
        return cls(*(np.full((count, MOST), nothing) for nothing in (-1, -1, 0.0, 0.0)))

    def with_more(self, layer: int, units: Numbers, weights: Numbers, norms: Numbers) -> "_Strongest":
        """Joined by some more: units (k,) of a layer, with weights and norms (units, k)."""
        given = (np.full(len(units), layer), units)
        joined = [
            np.concatenate([old, np.broadcast_to(new, weights.shape)], axis=1)
            for old, new in zip(
                (self.layers, self.units, self.weights, self.norms), (*given, weights, norms), strict=True
            )
        ]
        order = np.argsort(-joined[3], axis=1, kind="stable")[:, :MOST]
        return _Strongest(*(np.take_along_axis(values, order, axis=1) for values in joined))

    def links(self) -> list[Links]:
        """As `Link` of data.ts, for each unit, the largest weights first."""
        order = np.argsort(-np.abs(self.weights), axis=1, kind="stable")
        fields = (self.layers, self.units, self.weights, self.norms)
        rows = zip(*(np.take_along_axis(values, order, axis=1).tolist() for values in fields), strict=True)
        return [
            [
                {"layer": layer, "unit": unit, "weight": float(f"{weight:.5g}"), "norm": float(f"{norm:.5g}")}
                for layer, unit, weight, norm in zip(*row, strict=True)
                if norm > 0
            ]
            for row in rows
        ]


@dataclass(frozen=True, eq=False)
class _Connections:
    pages: tuple[str, ...]
    reads: Mapping[str, _Strongest]
    read_by: Mapping[str, _Strongest]


_KNOWN: "WeakKeyDictionary[Model, _Connections]" = WeakKeyDictionary()


def reads(book: Book, layer: str) -> list[Links]:
    """For each unit of a layer with a page those that it reads, the largest weights first.

    They are units of layers with pages, where what the layer reads leads to such ones; else of the layer at which that
    cannot be told further.
    """
    return _of(book).reads[layer].links()


def read_by(book: Book, layer: str) -> list[Links]:
    """For each unit of a layer with a page those that read it, the largest weights first.

    They are units of layers with pages; behind the last of these, of the layers whose kernels read it.
    """
    return _of(book).read_by[layer].links()


def _of(book: Book) -> _Connections:
    known = _KNOWN.get(book.model)
    if known is None or known.pages != book.layers:
        known = _KNOWN[book.model] = _found(book)
    return known


def _found(book: Book) -> _Connections:
    structure = Structure.of(book.model)
    page_of = {structure.origin(name): name for name in book.layers}
    walk = KernelWalk(structure, frozenset(page_of))
    counts = {name: unit_count(book.model.layers[name]) for name in book.layers}
    forth = {name: _Strongest.nothing(n) for name, n in counts.items()}
    back = {structure.origin(name): _Strongest.nothing(n) for name, n in counts.items()}
    behind = _kernels_behind(structure, book.layers)
    for name in (*book.layers, *behind):
        count = unit_count(book.model.layers[name])
        for start in range(0, count, _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, count))
            found = walk.back_from(name, rows.tolist(), **({} if name in forth else {"most": 1}))
            for source, taps in found.items():
                weights, norms = _figures(taps)
                if name in forth:
                    forth[name] = _put(forth[name], rows, book.ids[page_of.get(source, source)], weights, norms)
                if source in back:
                    back[source] = back[source].with_more(book.ids[name], rows, weights.T, norms.T)
        walk.forget()
    return _Connections(book.layers, forth, {name: back[structure.origin(name)] for name in book.layers})


def _figures(taps: Taps) -> tuple[Numbers, Numbers]:
    """The sum and the Euclidean norm of a kernel over its positions, (units, units that are read)."""
    every = list(taps.values())
    total = np.zeros(every[0].shape)
    squares = np.zeros(every[0].shape)
    for matrix in every:
        total += matrix
        squares += np.square(matrix, dtype=np.float64)
    return total, np.sqrt(squares)


def _put(whole: _Strongest, rows: Numbers, layer: int, weights: Numbers, norms: Numbers) -> _Strongest:
    """Some rows joined by more."""
    fields = (whole.layers, whole.units, whole.weights, whole.norms)
    part = _Strongest(*(values[rows] for values in fields))
    part = part.with_more(layer, np.arange(weights.shape[1]), weights, norms)
    for values, new in zip(fields, (part.layers, part.units, part.weights, part.norms), strict=True):
        values[rows] = new
    return whole


def _kernels_behind(structure: Structure, pages: Sequence[str]) -> list[str]:
    """The layers with kernels that no layer with a page is computed from."""
    upstream, waiting = set(pages), list(pages)
    while waiting:
        for read in structure.reads[waiting.pop()]:
            if read not in upstream:
                upstream.add(read)
                waiting.append(read)
    names = [name for name in structure.model.layers if name not in upstream and name not in structure.same]
    return [name for name in names if name != INPUT and name in structure.kernels]
