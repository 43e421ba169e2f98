"""Clusters of embeddings, by scikit-learn, in an order that does not depend on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.errors import ParameterError
from crosslens.layouts import lay_out

__all__ = ["REDUCTIONS", "Cluster", "clusters", "reduced_rows"]

Numbers = np.ndarray[Any, Any]
REDUCTIONS = ("none", "pca", "tsne")
DIMENSIONS = 50
"""Of the principal components, as in the paper."""
PERPLEXITY = 30.0
RESTARTS = 10
"""k-means starts from so many draws, and the best of them is taken."""


@dataclass(frozen=True)
class Cluster:
    """Rows that lie together."""

    members: Numbers
    """Rows, nearest to the centre first; of equal ones the lower row first."""
    spread: float
    """Root of the mean squared distance to the centre."""


def reduced_rows(rows: Numbers, name: str, seed: int) -> tuple[Numbers, tuple[str, ...]]:
    """Rows (N, D) as float64, as they are, or on 50 principal components, or by t-SNE of these in a plane; and notes.

    Raises:
        ParameterError: scikit-learn is not installed.
    """
    if name == "none" or len(rows) < 3:
        return rows.astype(np.float64), ()
    points = lay_out(rows.astype(np.float64), "pca", min(DIMENSIONS, *rows.shape), seed=seed).points
    if name == "pca":
        return points.astype(np.float64), ()
    layout = lay_out(points, "tsne", perplexity=min(PERPLEXITY, max(1.0, (len(rows) - 1) / 3)), seed=seed)
    return layout.points.astype(np.float64), layout.notes


def clusters(rows: Numbers, count: int, seed: int, numbers: Numbers) -> list[Cluster]:
    """k-means of rows (N, D): `sklearn.cluster.KMeans(count, n_init=10, random_state=seed)`, the largest first.

    Args:
        rows: float64.
        count: how many clusters; fewer where there are fewer different rows.
        seed: of the starts.
        numbers: (N,), one for each row; of clusters of one size the one with the lowest number goes first.

    Raises:
        ParameterError: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise _missing() from error
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = min(count, len(np.unique(rows, axis=0)))
    with threadpool_limits(limits=1):
        labels = KMeans(count, n_init=RESTARTS, random_state=seed).fit(rows).labels_
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups.sort(key=lambda group: (-len(group), int(numbers[group].min())))
    return [_cluster(rows, group) for group in groups]


def _cluster(rows: Numbers, group: Numbers) -> Cluster:
    squares = np.square(rows[group] - rows[group].mean(axis=0)).sum(axis=1)
    return Cluster(group[np.argsort(squares, kind="stable")], float(np.sqrt(squares.mean())))


def _missing() -> ParameterError:
    return ParameterError("facets are found by scikit-learn: pip install 'crosslens[data]'")
