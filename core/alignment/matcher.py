"""Two networks on the same pictures: which layer of one is which of the other, also beyond a fault.

Where a fault has made everything after it different, activations say nothing. So the second network is *healed*: it is
run again with the first one's activation in place of a layer's own (`replace=`). If the two layers are counterparts,
all that follows agrees again; if they are not, it does not. The hypothesis that heals most is the match.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..arrays import Array, as_numpy
from ..model.base import INPUT, OUTPUT, Model
from .similarity import Likeness, Values, agreement, arranged, best_in_order, echoes, likeness

__all__ = ["Pair", "Twins", "captured", "family", "paired"]

WELL = 0.9
"""From this score on two layers are taken for counterparts; a rectifier between them costs more."""
EXACT = 0.9999
"""From this score on nothing but rounding is between two layers."""
AKIN = 0.25
"""Where a fault is, layers of one shape are counterparts from this score on; unrelated ones stay below 0.1."""
HEALS = 12
"""Faults to look beyond."""
AHEAD = 8
"""Layers after the last that agrees among which the first counterpart is looked for."""

_FAMILIES = {
    "conv": "convolution",
    "norm": "normalisation",
    "relu": "rectifier",
    "clip": "rectifier",
    "hardtanh": "rectifier",
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "pool": "pooling",
    "mean": "pooling",
    "dense": "dense",
    "linear": "dense",
    "gemm": "dense",
    "matmul": "dense",
    "concat": "join",
    "flatten": "reshape",
    "reshape": "reshape",
    "resize": "resize",
    "upsampl": "resize",
    "add": "sum",
    "sum": "sum",
    "mul": "product",
}


def family(kind: str) -> str:
    """What frameworks' words for a kind of layer have in common: Conv2d, DepthwiseConv2D, Conv are "convolution".

    >>> family("DepthwiseConv2D"), family("Activation"), family("cat")
    ('convolution', '', 'join')
    """
    if kind == "cat":
        return "join"
    return next((name for part, name in _FAMILIES.items() if part in kind.lower()), "")


class Pair(NamedTuple):
    """Two layers that are one, and the layout in which they are."""

    a: str
    b: str
    layout: str


def captured(model: Model, x: Array) -> dict[str, Values]:
    """Activations of all layers but `INPUT` and `OUTPUT` that are numbers by image, in execution order."""
    names = [name for name in model.layers if name not in {INPUT, OUTPUT}]
    found = model.forward(x, names)
    return {name: v for name in names if (v := as_numpy(found[name])).ndim > 1 and len(v) == len(x)}


@dataclass
class Twins:
    """Two models and what their layers say of the same pictures."""

    a: Model
    b: Model
    x: Array
    of_a: dict[str, Values] = field(init=False)
    of_b: dict[str, Values] = field(init=False)

    def __post_init__(self) -> None:
        self.of_a, self.of_b = captured(self.a, self.x), captured(self.b, self.x)
        self.ends = tuple(as_numpy(m.forward(self.x)[OUTPUT]) for m in (self.a, self.b))

    def handed(self, pair: Pair) -> Values:
        """The first model's activation, laid out as the second's."""
        layers = list(self.of_a.values())
        return arranged(layers, list(self.of_a).index(pair.a), pair.layout, self.of_b[pair.b])

    def healed(self, pairs: Iterable[Pair], capture: Iterable[str]) -> dict[str, Values]:
        """The second model's activations of these layers where it is handed the first one's at `pairs`."""
        given = {pair.b: self.handed(pair) for pair in pairs}
        found = self.b.forward(self.x, list(capture), replace=given)
        return {name: as_numpy(values) for name, values in found.items()}

    def at_end(self) -> tuple[float, float]:
        """(correlation, relative L2 difference) of the outputs; (0, infinite) where their shapes differ."""
        first, second = self.ends
        return agreement(first, second) if first.shape == second.shape else (0.0, float("inf"))

    def agree(self, pair: Pair, values: Values | None = None) -> tuple[float, float]:
        """(correlation, relative L2 difference) of a pair; with `values` for the second model's if given."""
        return agreement(self.handed(pair), self.of_b[pair.b] if values is None else values)


class _Search:
    """The state of matching: what is fixed, and how alike layers are once that is healed."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.names_a, self.names_b = list(twins.of_a), list(twins.of_b)
        self.values_a = list(twins.of_a.values())
        self.kinds_a = [family(twins.a.layers[name].kind) for name in self.names_a]
        self.kinds_b = [family(twins.b.layers[name].kind) for name in self.names_b]
        self.fixed: dict[int, int] = {}
        self.like, self.end = self._look({})

    def _look(self, fixed: Mapping[int, int]) -> tuple[Likeness, float]:
        """Likeness of all layers, and of the outputs, with the second model healed at these layers of it."""
        b, end = self.twins.of_b, self.twins.ends[1]
        if fixed:
            found = self.twins.healed([self._pair(i, j) for j, i in fixed.items()], [*self.names_b, OUTPUT])
            end = found.pop(OUTPUT)
            b = found
        like = likeness(self.values_a, [b[name] for name in self.names_b])
        for j, i in fixed.items():
            like.score[i, :] = like.score[:, j] = 0
            like.score[i, j] = 1
        first = self.twins.ends[0]
        alike = float(likeness([first], [end]).score[0, 0]) if first.shape == end.shape else 0.0
        return like, alike

    def _pair(self, i: int, j: int) -> Pair:
        return Pair(self.names_a[i], self.names_b[j], self.like.layouts[i, j])

    def heal(self) -> None:
        """Look beyond faults, one after the other, until the outputs agree or nothing heals."""
        for _ in range(HEALS):
            if self.end >= EXACT or not self._heal_one():
                return

    def _heal_one(self) -> bool:
        """Try the layers that have no counterpart yet, from where the two networks cease to be equal."""
        best = self.like.score.max(axis=0, initial=0)
        start = int(np.argmax(np.concatenate([[0], np.cumsum((best >= EXACT) - 0.3)])))
        broken = [j for j in range(start, len(best)) if best[j] < WELL][:AHEAD]
        return any(self._heal_at(j, best >= EXACT) for j in broken)

    def _heal_at(self, j: int, exact: Values) -> bool:
        """Hand each possible counterpart to layer j; keep that after which most layers agree, the first of equals."""
        tried = []
        for i in self._candidates(j):
            like, end = self._look({**self.fixed, j: i})
            after = int((like.score.max(axis=0, initial=0) >= EXACT)[j + 1 :].sum()) - int(exact[j + 1 :].sum())
            tried.append((after + 2 * (end >= EXACT), -i, like, end))
        if not tried or max(tried, key=lambda t: t[:2])[0] < 2:
            return False
        _, place, self.like, self.end = max(tried, key=lambda t: t[:2])
        self.fixed[j] = -place
        return True

    def _candidates(self, j: int) -> list[int]:
        """Layers of the first model that may be layer j: of its shape, no other's, after what agrees before it."""
        score = self.like.score
        before = [int(score[:, k].argmax()) for k in range(j) if score[:, k].max() >= WELL]
        free = [i for i in range(len(score)) if (i, j) in self.like.layouts and score[i].max() < WELL]
        last = max(before, default=-1)
        return [i for i in free if i > last][:AHEAD] or [i for i in free if i < last][-AHEAD:]

    def pairs(self) -> list[tuple[int, int]]:
        """In order by activations, then branches that ran in another order, then what only structure can say.

        What echoes an earlier layer waits until those are matched: a block is not the last step but one of the other's.
        """
        score = self.like.score
        kin = np.array([[x == y != "" for y in self.kinds_b] for x in self.kinds_a]).reshape(score.shape)
        kept = [np.array([n not in echoes(v) for n in v]) for v in (self.twins.of_a, self.twins.of_b)]
        original = kept[0][:, None] & kept[1][None]
        weight = np.where((score >= WELL) & original, score**4 + 1e-7 * kin, 0)
        found = best_in_order(weight)
        found += self._out_of_order(found, np.where(score >= np.where(original, WELL, EXACT), score, 0))
        return sorted([*found, *self._by_structure(found, kin)], key=lambda pair: pair[1])

    @staticmethod
    def _out_of_order(found: list[tuple[int, int]], left: Values) -> list[tuple[int, int]]:
        """The best of what is left, one pair after the other."""
        for i, j in found:
            left[i, :] = left[:, j] = 0
        more = []
        while left.size and left.max() > 0:
            i, j = (int(n) for n in np.unravel_index(left.argmax(), left.shape))
            more.append((i, j))
            left[i, :] = left[:, j] = 0
        return more

    def _by_structure(self, found: list[tuple[int, int]], kin: Values) -> list[tuple[int, int]]:
        """Just before a fault, and all over where no fault could be healed: layers of one shape and kind."""
        ends = [(-1, -1), *self._growing(found), (len(self.names_a), len(self.names_b))]
        used_a, used_b = {i for i, _ in found}, {j for _, j in found}
        more = []
        for (i, j), (k, m) in pairwise(ends):
            if m in self.fixed or self.end < WELL:
                rows = [n for n in range(i + 1, k) if n not in used_a]
                columns = [n for n in range(j + 1, m) if n not in used_b]
                weight = np.array([[self._weight(p, q, kin) for q in columns] for p in rows])
                pairs = best_in_order(weight.reshape(len(rows), len(columns)))
                more += [(rows[p], columns[q]) for p, q in pairs]
        return more

    def _weight(self, i: int, j: int, kin: Values) -> float:
        if (i, j) not in self.like.layouts:
            return 0.0
        score = float(self.like.score[i, j])
        if self.end < WELL and kin[i, j]:
            return 1 + score
        named = kin[i, j] or "" in {self.kinds_a[i], self.kinds_b[j]}
        return score if named and score > AKIN else 0.0

    @staticmethod
    def _growing(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The pairs without those that cross others: branches that ran in another order mark no place."""
        n, m = max((i for i, _ in found), default=-1) + 1, max((j for _, j in found), default=-1) + 1
        weight = np.zeros((n, m))
        for i, j in found:
            weight[i, j] = 1
        return best_in_order(weight)


def paired(twins: Twins) -> list[Pair]:
    """The layers that are one, in the second model's execution order; none is named twice."""
    search = _Search(twins)
    search.heal()
    return [search._pair(i, j) for i, j in search.pairs()]
