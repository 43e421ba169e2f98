"""Matching two sequences of activations: how alike each pair is whatever its layout, and the best pairs in order."""

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Likeness", "agreement", "arranged", "best_in_order", "echoes", "likeness"]

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]
SAMPLED = 4096
"""Positions of an image's activations that a first look takes, the same ones for all layers of one shape."""


class Likeness(NamedTuple):
    """How alike layers are, (layers of a, layers of b), and the layout in which each pair was most alike."""

    score: Values
    """The mean of Pearson's correlation and of 1 - |a - b| / max(|a|, |b|), each at least 0; 1 for equal values."""
    layouts: Mapping[tuple[int, int], str]


def likeness(a: list[Values], b: list[Values]) -> Likeness:
    """Compare every layer of `a` with every layer of `b` that has its shape in some layout, on sampled positions.

    Args:
        a, b: activations (N, ...) of the same images, in execution order.
    """
    shapes = {_squeezed(values) for values in b}
    groups: dict[Shape, list[tuple[int, str, Values]]] = {}
    for i, values in enumerate(a):
        for name, shape, arrange in _arrangements(values, _maps_before(a, i)):
            if shape in shapes:
                groups.setdefault(shape, []).append((i, name, _sampled(arrange())))
    score, layouts = np.zeros((len(a), len(b))), {}
    for shape, candidates in groups.items():
        columns = [j for j, values in enumerate(b) if _squeezed(values) == shape]
        found = _scores(np.stack([v for _, _, v in candidates]), np.stack([_sampled(b[j]) for j in columns]))
        for (i, name, _), row in zip(candidates, found, strict=True):
            for j, value in zip(columns, row, strict=True):
                if (i, j) not in layouts or value > score[i, j] + 1e-3:
                    score[i, j], layouts[i, j] = value, name
    return Likeness(score, layouts)


def echoes(layers: Mapping[str, Values]) -> dict[str, str]:
    """Layers with the very same numbers as an earlier one (a block and its last layer, a flattening), and that one."""
    first: dict[tuple[int, float], str] = {}
    found = {}
    for name, values in layers.items():
        key = (values.size, float(values.ravel()[:1000].sum()))
        other = first.setdefault(key, name)
        if other != name and np.array_equal(layers[other].ravel(), values.ravel()):
            found[name] = other
    return found


def _squeezed(values: Values) -> Shape:
    return tuple(int(n) for n in values.shape[1:] if n != 1)


def _maps_before(layers: list[Values], place: int) -> Shape | None:
    """(C, H, W) of the nearest maps before a layer of vectors that hold as many numbers."""
    size = prod(layers[place].shape[1:])
    shapes = (v.shape[1:] for v in reversed(layers[:place]) if v.ndim == 4)
    return next((s for s in shapes if prod(s) == size and s[0] > 1 and s[1] * s[2] > 1), None)


def _arrangements(values: Values, maps: Shape | None) -> Iterator[tuple[str, Shape, Callable[[], Values]]]:
    """(layout, shape, values in it) for each layout that another framework may store the same numbers in."""
    n, shape = len(values), _squeezed(values)
    yield "same", shape, lambda: values.reshape(n, *shape)
    if len(shape) == 3:
        maps3 = values.reshape(n, *shape)
        yield "tokens", (shape[1] * shape[2], shape[0]), lambda: values.reshape(n, shape[0], -1).swapaxes(1, 2)
        yield "last", (shape[1], shape[2], shape[0]), lambda: np.moveaxis(maps3, 1, -1)
        yield "first", (shape[2], shape[0], shape[1]), lambda: np.moveaxis(maps3, -1, 1)
    if len(shape) == 2:
        side = round(shape[0] ** 0.5)
        if side * side == shape[0]:
            yield "maps", (shape[1], side, side), lambda: values.swapaxes(1, 2).reshape(n, shape[1], side, side)
    if len(shape) == 1 and maps is not None:
        c, h, w = maps
        yield "last", shape, lambda: values.reshape(n, c, h, w).transpose(0, 2, 3, 1).reshape(n, -1)
        yield "first", shape, lambda: values.reshape(n, h, w, c).transpose(0, 3, 1, 2).reshape(n, -1)


def arranged(layers: list[Values], place: int, layout: str, like: Values) -> Values:
    """The activations of one layer of `layers` in a layout that `likeness` named, in the shape of `like`."""
    for name, _, arrange in _arrangements(layers[place], _maps_before(layers, place)):
        if name == layout:
            return np.ascontiguousarray(arrange().reshape(like.shape), dtype=np.float32)
    raise KeyError(layout)


def _sampled(values: Values) -> Values:
    flat = values.reshape(len(values), -1)
    if flat.shape[1] > SAMPLED:
        flat = flat[:, np.random.default_rng(flat.shape[1]).integers(flat.shape[1], size=SAMPLED)]
    return flat.astype(np.float64).ravel()


def _scores(a: Values, b: Values) -> Values:
    """The score of each row of `a` with each row of `b`."""
    lengths_a, lengths_b = (np.linalg.norm(v, axis=1) for v in (a, b))
    squared = lengths_a[:, None] ** 2 + lengths_b[None] ** 2 - 2 * a @ b.T
    far = _ratio(np.sqrt(np.maximum(squared, 0)), np.maximum(lengths_a[:, None], lengths_b[None]))
    centred = [v - v.mean(axis=1, keepdims=True) for v in (a, b)]
    deviations = [np.linalg.norm(v, axis=1) for v in centred]
    scale = deviations[0][:, None] * deviations[1][None]
    correlation = np.where(scale > 0, _ratio(centred[0] @ centred[1].T, scale), far < 1e-3)
    score = (np.maximum(correlation, 0) + np.maximum(1 - far, 0)) / 2
    return np.asarray(np.where(np.isfinite(score), score, 0.0))


def _ratio(a: Values, b: Values) -> Values:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def agreement(a: Values, b: Values) -> tuple[float, float]:
    """(Pearson's correlation, relative L2 difference |a - b| / |a|) of two arrays of one shape.

    Equal values correlate with 1, constant ones too; a difference from zeros is infinite.
    """
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    distance, length = float(np.linalg.norm(x - y)), float(np.linalg.norm(x))
    difference = 0.0 if distance == 0 else distance / length if length else float("inf")
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return (float(x @ y) / scale if scale else float(distance == 0)), difference


def best_in_order(weight: Values) -> list[tuple[int, int]]:
    """The pairs (i, j) of the largest total weight in which both i and j only grow; of equal ones the earliest.

    Needleman and Wunsch (1970) without a price for gaps; pairs of no weight are left out.
    """
    n, m = weight.shape
    best = np.zeros((n + 1, m + 1))
    for i in range(n - 1, -1, -1):
        open_here = np.maximum(best[i + 1, :m], np.where(weight[i] > 0, weight[i] + best[i + 1, 1:], 0))
        best[i, :m] = np.maximum.accumulate(open_here[::-1])[::-1]
    pairs, i, j = [], 0, 0
    while i < n and j < m:
        if weight[i, j] > 0 and weight[i, j] + best[i + 1, j + 1] >= best[i, j] - 1e-9:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1, j] >= best[i, j] - 1e-9:
            i += 1
        else:
            j += 1
    return pairs
