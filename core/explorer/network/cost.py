"""Parameters and floating-point operations of a network's layers, for one image.

A multiplication and an addition are two operations. A kernel takes 2 x its size at every position that it is put at:
those of the output, of the input for a transposed convolution; a bias and a normalisation folded into it cost nothing
more. Any other layer takes one operation for each value that it gives, or that it reads where these are more (pooling),
and a normalisation two. Layers that only move values, and those that drop some in training, take none.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...arrays import as_numpy
from ...introspection.spatial_axes import lays_out_anew, only_chooses
from ...model.base import INPUT, OUTPUT, Model
from ...model.reduction import unit_axis
from .structure import IDENTITY, Structure

__all__ = ["Costs", "total_flops", "total_parameters"]

Weights = Mapping[str, Any]
Shape = tuple[int, ...]
_MEASURED = frozenset({"mean", "variance"})
"""Weights that are measured and not trained, and no parameters."""
_KERNELS = ("kernel", "depthwise_kernel")
_MOVES = ("pad", "cat", "concat", "concatenate", "cast", "input", "output", "broadcast", "tile", "repeat", "stack")
_PRODUCTS = ("matmul", "bmm", "baddbmm", "einsum", "dot")
_ATTENTION = ("scaleddotproductattention", "attention", "multiheadattention")
_PROJECTIONS = 4
"""Weights of an attention: to queries, keys and values, their biases, to the outputs, their biases."""
_UNKNOWN = ("lstm", "gru", "rnn", "fft", "stft", "nonmaxsuppression", "loop", "scan", "if")


@dataclass(frozen=True, eq=False)
class Costs:
    """Of all layers of a network."""

    parameters: Mapping[str, int]
    """By layer; weights that several layers share count for each of them here."""
    flops: Mapping[str, int | None]
    """By layer; None where nobody can tell."""
    _marks: Mapping[str, Mapping[str, int]]
    """By layer the size of each of its weights by what tells it from all others."""
    _others: int

    @classmethod
    def of(cls, model: Model) -> "Costs":
        """Kept for each network."""
        if model not in _KNOWN:
            _KNOWN[model] = _measured(model)
        return _KNOWN[model]

    def parameters_of(self, layers: Iterable[str]) -> int:
        """The sum over layers; weights that they share count once."""
        return sum({mark: size for name in layers for mark, size in self._marks[name].items()}.values())

    def flops_of(self, layers: Iterable[str]) -> int | None:
        """The sum over layers; None where it is not known of one of them."""
        every = [self.flops[name] for name in layers]
        return None if None in every else sum(each or 0 for each in every)

    @property
    def all_parameters(self) -> int:
        """Of the network, those of no layer included."""
        return self.parameters_of(self._marks) + self._others

    @property
    def all_flops(self) -> int | None:
        """Of the network; None where a layer's are not known, or no layers are seen."""
        return self.flops_of(self.flops) if len(self.flops) > len((INPUT, OUTPUT)) else None


_KNOWN: "WeakKeyDictionary[Model, Costs]" = WeakKeyDictionary()


def _measured(model: Model) -> Costs:
    structure = Structure.of(model)
    marks: dict[str, Mapping[str, int]] = {}
    flops: dict[str, int | None] = {}
    billed: set[int] = set()
    for name in model.layers:
        weights = {} if name == INPUT else {key: as_numpy(v) for key, v in model.weights(name).items()}
        marks[name] = {_mark(name, key, v): int(v.size) for key, v in weights.items() if key not in _MEASURED}
        flops[name] = 0 if name in structure.same else _flops(structure, name, weights)
    rest = [as_numpy(each) for each in model.other_weights()]
    for name, first in _projections(structure, [values.shape for values in rest]).items():
        own = range(first, first + _PROJECTIONS)
        marks[name] = {f"of no layer/{n}": int(rest[n].size) for n in own}
        billed.update(own)
    others = sum(int(values.size) for n, values in enumerate(rest) if n not in billed)
    return Costs({name: sum(each.values()) for name, each in marks.items()}, flops, marks, others)


def _projections(structure: Structure, shapes: list[Shape]) -> Mapping[str, int]:
    """By attention that shows nothing of its inside, where its weights begin among those of no layer.

    These are the weights and biases of a projection of (T, D) to queries, keys and values, (3 D, D), and of one to the
    outputs, (D, D). They are told by their shapes, in the network's order, where there are as many as attentions.
    """
    widths = {
        name: _shape(structure.model, structure.reads[name][0])[-1]
        for name in structure.model.layers
        if structure.words(name) & {"attention", "multiheadattention"} and len(structure.reads[name]) == 1
    }
    first = {name: width for name, width in widths.items() if "#" not in name and not structure.model.weights(name)}
    places = [
        n for n, shape in enumerate(shapes) if len(shape) > 1 and shapes[n : n + _PROJECTIONS] == _shapes(shape[1])
    ]
    if [shapes[n][1] for n in places] != list(first.values()):
        return {}
    at = dict(zip(first, places, strict=True))
    return {name: at[name.partition("#")[0]] for name in widths if name.partition("#")[0] in at}


def _shapes(width: int) -> list[Shape]:
    return [(3 * width, width), (3 * width,), (width, width), (width,)]


def _mark(layer: str, key: str, values: Any) -> str:
    """Weights equal in every value are shared, unless all their values are alike: two biases of zeros are two.

    A layer's later runs, `name#2`, have the weights of the first one.
    """
    if values.size > 1 and np.ptp(values) > 0:
        return hashlib.sha256(np.ascontiguousarray(values).tobytes() + repr(values.shape).encode()).hexdigest()
    return f"{layer.partition('#')[0]}/{key}"


def total_parameters(model: Model) -> int:
    """All trained parameters of a network, each once; what a normalisation has measured is none."""
    return Costs.of(model).all_parameters


def total_flops(model: Model) -> int | None:
    """The operations of a network for one image; None where a layer's are not known, or no layers are seen."""
    return Costs.of(model).all_flops


def _flops(structure: Structure, name: str, weights: Weights) -> int | None:
    layer, words = structure.model.layers[name], structure.words(name)
    is_inside = structure.kernel_at.get(name, name) != name  # of a layer that has the kernel, and what it takes
    moves = words & {*_MOVES, *IDENTITY, "unfold"} or lays_out_anew(layer) or only_chooses(layer)
    if name in {INPUT, OUTPUT} or is_inside or moves:
        return 0
    read, given = [_shape(structure.model, each) for each in _sources(structure, name)], _shape(structure.model, name)
    if any(key in weights for key in _KERNELS):
        transposed = any("transpos" in word for word in words)
        positions = _positions(read[0] if transposed and read else given)
        size = sum(int(weights[key].size) for key in _KERNELS if key in weights)
        return 2 * positions * size + _weighted_values(read)
    if words & set(_PRODUCTS):
        return _product(given, read)
    if words & set(_ATTENTION) or (len(read) > 1 and "softmax" in words):
        return _attention(given, read, words)
    if words & set(_UNKNOWN) or any(v.ndim >= 2 and min(v.shape) > 1 for v in weights.values()):
        return None
    normalises = "scale" in weights or "norm" in layer.kind.lower()
    return 2 * prod(given) if normalises else _elementwise(prod(given), read, words)


def _sources(structure: Structure, name: str) -> tuple[str, ...]:
    """What a layer reads; of one whose kernel is applied at a place inside, what that place reads."""
    inside = [place for place, layer in structure.kernel_at.items() if layer == name]
    return structure.reads[inside[0] if inside else name]


def _elementwise(given: int, read: list[Shape], words: frozenset[str]) -> int:
    return max([given, *map(prod, read)]) if any(_gathers(word) for word in words) else given


def _gathers(word: str) -> bool:
    """Whether a layer gives fewer values than it works on."""
    return any(part in word for part in ("pool", "mean", "sum", "max", "min", "softmax"))


def _shape(model: Model, name: str) -> Shape:
    return tuple(model.input.example_shape) if name == INPUT else tuple(n or 1 for n in model.layers[name].shape[1:])


def _positions(shape: Shape) -> int:
    axis = unit_axis(len(shape) + 1) - 1
    return prod(n for place, n in enumerate(shape) if place != axis)


def _product(given: Shape, read: list[Shape]) -> int | None:
    """(..., n, k) by (..., k, m): the sizes of all three tell k; the axes before the last two are common."""
    if len(read) != 2:
        return None
    values, common = prod(given), prod(given[:-2])
    squared, rest = divmod(prod(read[0]) * prod(read[1]), values * common)
    length = isqrt(squared)
    return None if rest or length**2 != squared else 2 * values * length


def _attention(given: Shape, read: list[Shape], words: frozenset[str]) -> int | None:
    """Queries by keys, (heads, T, S); these by values, (heads, T, d); or both in one.

    An attention that shows nothing of its inside, with tokens (T, D) as its only input, is one whose queries, keys,
    values and outputs are projected to the same width.
    """
    values = prod(given)
    if len(given) < 2 or not read:
        return None
    if not any("scaleddot" in word for word in words) and len(given) == len(("heads", "T", "S")):
        if len(read) > 1:
            return 2 * values * (prod(read[0]) // prod(given[:-1]))
        if read[0] == given:
            return values
        tokens, width = read[0] if len(read[0]) == len(("T", "D")) else (0, 0)
        return 8 * tokens * width**2 + 4 * tokens**2 * width if tokens == given[1] else None
    if len(read) == len(("weights", "values")):
        return 2 * values * read[0][-1]
    return 4 * values * read[1][-2] if len(read) > 2 and len(read[1]) > 1 else None


def _weighted_values(read: list[Shape]) -> int:
    """Of a layer with a kernel that is given attention (heads, T, S) and values (S, D): the product of both."""
    if len(read) != 2 or sorted(map(len, read)) != [2, 3]:
        return 0
    values, weights = sorted(read, key=len)
    return 2 * weights[1] * prod(values) if weights[2] == values[0] else 0
