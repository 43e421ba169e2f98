"""How alike classes are, by their means; an order in which like ones stand together; agreement with confusions."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["SIMILARITIES", "agreement", "alike_order", "confusion_rates"]

Numbers = np.ndarray[Any, Any]
MOST_TURNED = 1000
"""Classes up to which the branches of the tree are turned so that neighbours are as alike as can be: 3 s for 1,000."""
FEWEST_PAIRS = 3
"""Of a correlation."""


def cosine(means: Numbers) -> Numbers:
    """Of class means (C, K) less the mean of all class means; 0 with a class that lies at it."""
    return _cosines(means - means.mean(axis=0))


def correlation(means: Numbers) -> Numbers:
    """Pearson's, over the features; 0 with a class whose features are all equal."""
    return _cosines(means - means.mean(axis=1, keepdims=True))


def negative_distance(means: Numbers) -> Numbers:
    """The Euclidean length of the difference, with a minus: larger is more alike."""
    from scipy.spatial.distance import pdist, squareform

    return np.asarray(-squareform(pdist(means)) + 0.0)


def _cosines(rows: Numbers) -> Numbers:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths > 0, lengths, 1.0)
    found = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1.0)
    return np.asarray((found + found.T) / 2)


SIMILARITIES: Mapping[str, Callable[[Numbers], Numbers]] = {
    "cosine": cosine,
    "correlation": correlation,
    "euclid": negative_distance,
}
"""From class means (C, K), float64, to (C, C), symmetric, larger for classes that are more alike."""


def alike_order(similarity: Numbers) -> Numbers:
    """An order (C,) in which like classes stand together: the leaves of average linkage (Sokal and Michener, 1958).

    Up to 1,000 classes branches are turned as Bar-Joseph et al. (2001) do; the first class stands in the first half.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    count = len(similarity)
    if count < 3:
        return np.arange(count)
    apart = np.maximum(similarity.max() - similarity, 0.0)
    np.fill_diagonal(apart, 0.0)
    distances = squareform(apart, checks=False)
    tree = linkage(distances, "average")
    if count <= MOST_TURNED:
        tree = optimal_leaf_ordering(tree, distances)
    order = leaves_list(tree).astype(np.int64)
    late = 2 * int(np.flatnonzero(order == 0)[0]) > count - 1
    return np.asarray(order[::-1] if late else order)


def confusion_rates(confusion: Numbers, counts: Numbers) -> Numbers:
    """The share of each class's images that is predicted to be each class, (C, C)."""
    return np.asarray(confusion / np.maximum(np.asarray(counts), 1)[:, None])


def agreement(similarity: Numbers, rates: Numbers, known: Numbers) -> Mapping[str, float]:
    """How far classes that are alike are the ones confused: correlations over the pairs of different classes.

    Args:
        similarity: (C, C).
        rates: (C, C), by `confusion_rates`; a pair counts by the mean of both directions.
        known: (C,), booleans: which classes the network can predict.

    Returns:
        "agreement", Pearson's correlation, and "rank_agreement", Spearman's; nothing where there are fewer than three
        pairs, or all are alike.
    """
    from scipy.stats import rankdata

    above = np.triu(np.outer(known, known), 1)
    pairs = similarity[above], ((rates + rates.T) / 2)[above]
    if len(pairs[0]) < FEWEST_PAIRS or any(np.ptp(each) == 0 for each in pairs):
        return {}
    ranks = [rankdata(each) for each in pairs]
    return {
        "agreement": float(np.corrcoef(*pairs)[0, 1]),
        "rank_agreement": float(np.corrcoef(*ranks)[0, 1]),
    }
