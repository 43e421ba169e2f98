"""How similar activations of two networks are, whatever their layout, and the best matching of two sequences."""

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Similarities",
    "Values",
    "duplicate_layers",
    "heaviest_ordered_matching",
    "in_layout",
    "nearest_permutation",
    "pearson",
    "relative_l2",
    "similarities",
]

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]
SAMPLE = 4096
"""Number of positions of an activation that scores are computed on, the same ones for all layers of one shape."""


class Similarities(NamedTuple):
    """The similarity of each layer of one network to each layer of another."""

    score: Values
    """(layers of a, layers of b): the mean of Pearson's correlation and of 1 - |a - b| / max(|a|, |b|), each at least
    0; 1 for equal values."""
    layouts: Mapping[tuple[int, int], str]
    """The layout of a's layer in which the two are most similar; none where no layout gives the shape of b's."""


def similarities(a: list[Values], b: list[Values]) -> Similarities:
    """Compare every layer of `a` with every layer of `b` that has its shape in some layout, on sampled positions.

    Args:
        a, b: activations (N, ...) of the same images, in execution order.
    """
    shapes = {_without_unit_axes(values) for values in b}
    groups: dict[Shape, list[tuple[int, str, Values]]] = {}
    for i, values in enumerate(a):
        for name, shape, arrange in _layouts(values, _maps_before(a, i)):
            if shape in shapes:
                groups.setdefault(shape, []).append((i, name, _sample(arrange())))
    score, layouts = np.zeros((len(a), len(b))), {}
    for shape, candidates in groups.items():
        columns = [j for j, values in enumerate(b) if _without_unit_axes(values) == shape]
        scores = _scores(np.stack([v for _, _, v in candidates]), np.stack([_sample(b[j]) for j in columns]))
        for (i, name, _), row in zip(candidates, scores, strict=True):
            for j, value in zip(columns, row, strict=True):
                if (i, j) not in layouts or value > score[i, j] + 1e-3:
                    score[i, j], layouts[i, j] = value, name
    return Similarities(score, layouts)


def duplicate_layers(layers: Mapping[str, Values]) -> dict[str, str]:
    """Layers with the very same numbers as an earlier one (a block and its last layer, a flattening), and that one."""
    first: dict[tuple[int, float], str] = {}
    duplicates = {}
    for name, values in layers.items():
        key = (values.size, float(values.ravel()[:1000].sum()))
        earlier = first.setdefault(key, name)
        if earlier != name and np.array_equal(layers[earlier].ravel(), values.ravel()):
            duplicates[name] = earlier
    return duplicates


def in_layout(layers: list[Values], index: int, layout: str, like: Values) -> Values:
    """The activation of one layer in another layout.

    Args:
        layers: activations (N, ...) of a network, in execution order.
        index: which of them.
        layout: as `similarities` names it.
        like: an array of the shape to return.

    Raises:
        KeyError: the layer has no such layout.
    """
    for name, _, arrange in _layouts(layers[index], _maps_before(layers, index)):
        if name == layout:
            return np.ascontiguousarray(arrange().reshape(like.shape), dtype=np.float32)
    raise KeyError(layout)


def pearson(a: Values, b: Values) -> float:
    """Pearson's correlation of two arrays of one shape, in float64; of a constant array 1 with an equal one, else 0."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    equal = float(np.linalg.norm(x - y)) == 0
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale else float(equal)


def relative_l2(a: Values, b: Values) -> float:
    """|a - b| / |a| of two arrays of one shape, in float64: 0 for equal ones, infinite for a difference from zeros."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    distance, length = float(np.linalg.norm(x - y)), float(np.linalg.norm(x))
    return 0.0 if distance == 0 else distance / length if length else float("inf")


def nearest_permutation(a: Values, b: Values, axis: int) -> list[int] | None:
    """For each slice of `a` along an axis the index of the nearest slice of `b`; None unless each is taken once.

    Args:
        a, b: arrays of one shape.
        axis: the axis whose slices may stand in another order, the channels for example.

    Of slices that are alike, each takes the one at its own index.
    """
    x, y = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1).astype(np.float64) for v in (a, b))
    distances = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None] - 2 * x @ y.T
    distances[np.diag_indices_from(distances)] -= 1e-9 * distances.max(initial=0) + np.finfo(float).tiny
    order = [int(k) for k in distances.argmin(axis=1)]
    return order if len(set(order)) == len(order) else None


def heaviest_ordered_matching(weight: Values) -> list[tuple[int, int]]:
    """The pairs (i, j) of the largest total weight in which both i and j only grow; of equal ones the earliest.

    Needleman and Wunsch (1970) without a price for gaps; pairs of no weight are left out.
    """
    n, m = weight.shape
    best = np.zeros((n + 1, m + 1))
    for i in range(n - 1, -1, -1):
        row = np.maximum(best[i + 1, :m], np.where(weight[i] > 0, weight[i] + best[i + 1, 1:], 0))
        best[i, :m] = np.maximum.accumulate(row[::-1])[::-1]
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


def _without_unit_axes(values: Values) -> Shape:
    return tuple(int(n) for n in values.shape[1:] if n != 1)


def _maps_before(layers: list[Values], index: int) -> Shape | None:
    """(C, H, W) of the nearest maps before a layer of vectors that have as many numbers."""
    size = prod(layers[index].shape[1:])
    shapes = (v.shape[1:] for v in reversed(layers[:index]) if v.ndim == 4)
    return next((s for s in shapes if prod(s) == size and s[0] > 1 and s[1] * s[2] > 1), None)


def _layouts(values: Values, maps: Shape | None) -> Iterator[tuple[str, Shape, Callable[[], Values]]]:
    """(layout, shape, values in it) for each layout that another framework may store the same numbers in."""
    n, shape = len(values), _without_unit_axes(values)
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


def _sample(values: Values) -> Values:
    flat = values.reshape(len(values), -1)
    if flat.shape[1] > SAMPLE:
        flat = flat[:, np.random.default_rng(flat.shape[1]).integers(flat.shape[1], size=SAMPLE)]
    return flat.astype(np.float64).ravel()


def _scores(a: Values, b: Values) -> Values:
    """The score of each row of `a` with each row of `b`."""
    lengths_a, lengths_b = (np.linalg.norm(v, axis=1) for v in (a, b))
    squared = lengths_a[:, None] ** 2 + lengths_b[None] ** 2 - 2 * a @ b.T
    distance = _ratio(np.sqrt(np.maximum(squared, 0)), np.maximum(lengths_a[:, None], lengths_b[None]))
    centred = [v - v.mean(axis=1, keepdims=True) for v in (a, b)]
    deviations = [np.linalg.norm(v, axis=1) for v in centred]
    scale = deviations[0][:, None] * deviations[1][None]
    correlation = np.where(scale > 0, _ratio(centred[0] @ centred[1].T, scale), distance < 1e-3)
    score = (np.maximum(correlation, 0) + np.maximum(1 - distance, 0)) / 2
    return np.asarray(np.where(np.isfinite(score), score, 0.0))


def _ratio(a: Values, b: Values) -> Values:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
