"""Match the layers of two networks by their activations on the same images, also behind a fault.

Behind a fault all activations differ, so that they say nothing about which layers are counterparts. Therefore the
second network is run again with the first one's activation in place of a layer's own (`replace=`). If the two layers
are counterparts, all layers after them agree again; if they are not, they do not. Of all hypotheses the one after which
most layers agree is the match.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ..model.base import OUTPUT
from .layer_family import layer_family
from .model_pair import LayerPair, ModelPair
from .similarity import Similarities, Values, duplicate_layers, heaviest_ordered_matching, similarities

__all__ = ["match_layers"]

SIMILAR = 0.9
"""Score from which two layers are counterparts; a rectifier between them lowers it more."""
EQUAL = 0.9999
"""Score from which two layers differ by rounding only."""
RELATED = 0.25
"""Score from which layers of one shape at a fault are counterparts; unrelated ones stay below 0.1."""
MOST_FAULTS = 12
"""Largest number of faults to look behind."""
CANDIDATES = 8
"""Number of layers after the last that agrees among which a counterpart is looked for."""

Pairs = list[tuple[int, int]]
"""Indices (layer of a, layer of b)."""


def match_layers(models: ModelPair) -> list[LayerPair]:
    """The layers that are counterparts, in the second model's execution order; none is in two pairs."""
    matcher = _Matcher(models)
    matcher.look_behind_faults()
    return [matcher.pair(i, j) for i, j in matcher.pairs()]


class _Matcher:
    """The state of the search: counterparts at faults, and how similar all layers are with these replaced."""

    def __init__(self, models: ModelPair) -> None:
        self.models = models
        self.names_a, self.names_b = list(models.of_a), list(models.of_b)
        self.values_a = list(models.of_a.values())
        self.families_a = [layer_family(models.a.layers[name].kind) for name in self.names_a]
        self.families_b = [layer_family(models.b.layers[name].kind) for name in self.names_b]
        self.replaced: dict[int, int] = {}
        """Layers of b that are replaced, and by which of a."""
        self.similarity, self.output_score = self._similarities({})

    def pair(self, i: int, j: int) -> LayerPair:
        return LayerPair(self.names_a[i], self.names_b[j], self.similarity.layouts[i, j])

    def _similarities(self, replaced: Mapping[int, int]) -> tuple[Similarities, float]:
        """Of all layers, and the score of the outputs, with these layers of the second model replaced."""
        b, output = self.models.of_b, self.models.outputs[1]
        if replaced:
            pairs = [self.pair(i, j) for j, i in replaced.items()]
            b = self.models.run_b_from_a(pairs, [*self.names_b, OUTPUT])
            output = b.pop(OUTPUT)
        similarity = similarities(self.values_a, [b[name] for name in self.names_b])
        for j, i in replaced.items():
            similarity.score[i, :] = similarity.score[:, j] = 0
            similarity.score[i, j] = 1
        first = self.models.outputs[0]
        score = float(similarities([first], [output]).score[0, 0]) if first.shape == output.shape else 0.0
        return similarity, score

    def look_behind_faults(self) -> None:
        """Replace the counterpart of one layer after the other, until the outputs agree or nothing helps."""
        for _ in range(MOST_FAULTS):
            if self.output_score >= EQUAL or not self._replace_one():
                return

    def _replace_one(self) -> bool:
        """Try the layers that have no counterpart yet, from where the two networks cease to be equal."""
        best = self.similarity.score.max(axis=0, initial=0)
        start = int(np.argmax(np.concatenate([[0], np.cumsum((best >= EQUAL) - 0.3)])))
        unmatched = [j for j in range(start, len(best)) if best[j] < SIMILAR][:CANDIDATES]
        return any(self._replace(j, best >= EQUAL) for j in unmatched)

    def _replace(self, j: int, equal: Values) -> bool:
        """Replace layer j by that candidate after which most layers agree, the first of equals; False if none helps."""
        tries = []
        for i in self._candidates(j):
            similarity, score = self._similarities({**self.replaced, j: i})
            equal_now = similarity.score.max(axis=0, initial=0) >= EQUAL
            gain = int(equal_now[j + 1 :].sum()) - int(equal[j + 1 :].sum()) + 2 * (score >= EQUAL)
            tries.append((gain, -i, similarity, score))
        best = max(tries, key=lambda t: t[:2], default=None)
        if best is None or best[0] < 2:
            return False
        _, negative, self.similarity, self.output_score = best
        self.replaced[j] = -negative
        return True

    def _candidates(self, j: int) -> list[int]:
        """Layers of the first model that may be layer j: of its shape, unmatched, after what agrees before it."""
        score = self.similarity.score
        before = [int(score[:, k].argmax()) for k in range(j) if score[:, k].max() >= SIMILAR]
        free = [i for i in range(len(score)) if (i, j) in self.similarity.layouts and score[i].max() < SIMILAR]
        last = max(before, default=-1)
        return [i for i in free if i > last][:CANDIDATES] or [i for i in free if i < last][-CANDIDATES:]

    def pairs(self) -> Pairs:
        """Counterparts in order by activations, then branches that ran in another order, then by structure alone.

        A duplicate of an earlier layer waits until those are matched: a block is not the counterpart of the other
        network's last layer in it.
        """
        score = self.similarity.score
        one_family = np.array([[x == y != "" for y in self.families_b] for x in self.families_a]).reshape(score.shape)
        originals = [
            np.array([name not in duplicates for name in of])
            for of in (self.models.of_a, self.models.of_b)
            for duplicates in [duplicate_layers(of)]
        ]
        original = originals[0][:, None] & originals[1][None]
        weight = np.where((score >= SIMILAR) & original, score**4 + 1e-7 * one_family, 0)
        pairs = heaviest_ordered_matching(weight)
        pairs += _greedy_matching(pairs, np.where(score >= np.where(original, SIMILAR, EQUAL), score, 0))
        return sorted([*pairs, *self._by_structure(pairs, one_family)], key=lambda pair: pair[1])

    def _by_structure(self, pairs: Pairs, one_family: Values) -> Pairs:
        """Counterparts by shape and family: just before a fault, and everywhere if the outputs still differ."""
        bounds = [(-1, -1), *_without_crossing(pairs), (len(self.names_a), len(self.names_b))]
        used_a, used_b = {i for i, _ in pairs}, {j for _, j in pairs}
        more = []
        for (i, j), (k, m) in pairwise(bounds):
            if m in self.replaced or self.output_score < SIMILAR:
                rows = [n for n in range(i + 1, k) if n not in used_a]
                columns = [n for n in range(j + 1, m) if n not in used_b]
                weight = np.array([[self._weight(p, q, one_family) for q in columns] for p in rows])
                matching = heaviest_ordered_matching(weight.reshape(len(rows), len(columns)))
                more += [(rows[p], columns[q]) for p, q in matching]
        return more

    def _weight(self, i: int, j: int, one_family: Values) -> float:
        if (i, j) not in self.similarity.layouts:
            return 0.0
        score = float(self.similarity.score[i, j])
        if self.output_score < SIMILAR and one_family[i, j]:
            return 1 + score
        may_be_one = one_family[i, j] or "" in {self.families_a[i], self.families_b[j]}
        return score if may_be_one and score > RELATED else 0.0


def _greedy_matching(pairs: Pairs, score: Values) -> Pairs:
    """The best pairs of the layers that `pairs` leave over, one after the other."""
    for i, j in pairs:
        score[i, :] = score[:, j] = 0
    more = []
    while score.size and score.max() > 0:
        i, j = (int(n) for n in np.unravel_index(score.argmax(), score.shape))
        more.append((i, j))
        score[i, :] = score[:, j] = 0
    return more


def _without_crossing(pairs: Pairs) -> Pairs:
    """The pairs without those of branches that ran in another order, which cross others."""
    n, m = max((i for i, _ in pairs), default=-1) + 1, max((j for _, j in pairs), default=-1) + 1
    weight = np.zeros((n, m))
    for i, j in pairs:
        weight[i, j] = 1
    return heaviest_ordered_matching(weight)
