"""How far a layout can be trusted: trustworthiness, and how often neighbours share a label."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from .layout import Numbers, checked_rows, library, usable
from .pca import centred, in_range
from .tsne import unit_length

__all__ = ["Estimate", "neighbourhood_hit", "trustworthiness"]

MANY = 5_000
"""Points up to which all are judged by trustworthiness."""
SAMPLE = 2_000
"""Points that are judged where there are more."""
CHUNK = 100
"""Points whose distances to all others are held at once."""
SAME = 1e-12
"""Distances that differ by no more, as a share of them, count as equal."""
NONE = 1e-7
"""Distances that are smaller, as a share of the longest row, count as none: float64 gives equal rows such ones."""


@dataclass(frozen=True)
class Estimate:
    """A figure of a layout, and of how many points it was computed: of all, or of a sample of them."""

    value: float
    judged: int
    points: int

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        """'0.973', or '0.973 (2,000 of 60,000 points, each ranked among all)'."""
        sample = f" ({self.judged:,} of {self.points:,} points, each ranked among all)"
        return f"{self.value:.3f}{sample * (self.judged < self.points)}"


def trustworthiness(
    rows: Array, points: Array, *, neighbours: int = 5, metric: str = "euclidean", most: int = MANY, seed: int = 0
) -> Estimate | None:
    """How far neighbours in a layout are neighbours of the rows too (Venna and Kaski, 2001), from 0 to 1.

    T = 1 - 2 / (N k (2N - 3k - 1)) * sum over points i, and over those j among the k nearest of i in the layout that
    are not among its k nearest rows, of r(i, j) - k, where r is the rank of j among the rows by distance from i.
    Rows at one distance have one rank, the best; but for that it is scikit-learn's, up to `most` points. Above, the sum
    is estimated from 2,000 random points, each ranked among all others; `judged` says it. Memory: 100 times N numbers.

    Args:
        rows: (N, columns).
        points: (N, d) of a layout; where they or the rows are NaN both are left out.
        neighbours: k, less than half of the points, else as many as fit.
        metric: of distances between rows: "euclidean", or "cosine"; that of the layout.
        most: points up to which all are judged.
        seed: of the sample.

    Returns:
        None for fewer than four points, which have no neighbourhoods.

    Raises:
        ParameterError: rows and points are not as many; another metric.
    """
    if metric not in {"euclidean", "cosine"}:
        raise ParameterError(f"metric is {metric!r}; trustworthiness takes euclidean or cosine")
    given, laid = _together(rows, points)
    given = in_range(unit_length(given) if metric == "cosine" else given)[0]
    given = centred(given, given.mean(axis=0)) if len(given) else given
    count = len(given)
    near = min(neighbours, (count - 1) // 2)
    if near < 1 or count < 4:
        return None
    judged = np.arange(count)
    if count > most:
        judged = np.sort(np.random.default_rng(seed).choice(count, min(SAMPLE, count), replace=False))
    excess = sum(_excess(given, chunk, neighbours_of) for chunk, neighbours_of in _chunks(judged, laid, near))
    scale = 2.0 / (len(judged) * near * (2.0 * count - 3.0 * near - 1.0))
    return Estimate(float(1.0 - scale * excess), len(judged), count)


def _together(rows: Array, points: Array) -> tuple[Numbers, Numbers]:
    given, laid = checked_rows(rows), as_numpy(points)
    if len(given) != len(laid):
        raise ParameterError(f"there are {len(given)} rows and {len(laid)} points; give a point for each row")
    known = usable(given) & usable(laid)
    return given[known], laid[known]


def _chunks(judged: Numbers, laid: Numbers, near: int) -> Iterator[tuple[Numbers, Numbers]]:
    """The judged points, a few at a time, with the nearest of each in the layout."""
    nearest = nearest_points(laid, near, judged)
    for start in range(0, len(judged), CHUNK):
        yield judged[start : start + CHUNK], nearest[start : start + CHUNK]


def _excess(rows: Numbers, chunk: Numbers, nearest: Numbers) -> float:
    """The sum of r(i, j) - k over these points i, where it is positive."""
    pairwise = library("sklearn.metrics", "scikit-learn", "'crosslens[data]'").pairwise_distances
    distances = pairwise(rows[chunk], rows)
    distances[distances < NONE * np.linalg.norm(rows, axis=1).max()] = 0
    distances[np.arange(len(chunk)), chunk] = np.inf
    own = np.take_along_axis(distances, nearest, axis=1)
    ordered = np.sort(distances, axis=1)
    ranks = np.stack([np.searchsorted(*each) for each in zip(ordered, own * (1 - SAME), strict=True)]) + 1
    return float(np.maximum(ranks - nearest.shape[1], 0).sum())


def nearest_points(points: Numbers, count: int, of: Numbers) -> Numbers:
    """The `count` nearest other points of those with these indices, (len(of), count), exact."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(points).query(points[of], count + 1)
    found = found.reshape(len(of), -1)
    own = found == of[:, None]
    own[~own.any(axis=1), -1] = True  # points that lie in one place: the point itself is not among those found
    return np.asarray(found[~own].reshape(len(of), count))


def neighbourhood_hit(points: Array, labels: Any, *, neighbours: int = 6) -> float | None:
    """How often near points share a label, from 0 to 1 (Paulovich et al., 2008).

    The share of a point's k nearest others that have its label, averaged over the points.

    Args:
        points: (N, d); those with NaN are left out.
        labels: N of them, of any kind; points whose label is None are left out.
        neighbours: k, fewer where there are not as many others.

    Returns:
        None where fewer than two points have labels.

    Raises:
        ParameterError: points and labels are not as many.
    """
    laid, given = as_numpy(points), list(labels)
    if len(laid) != len(given):
        raise ParameterError(f"there are {len(laid)} points and {len(given)} labels; give a label for each point")
    known = usable(laid) & np.array([each is not None for each in given], bool)
    numbers = {label: n for n, label in enumerate(dict.fromkeys(given))}
    kinds = np.array([numbers[each] for each in given])[known]
    near = min(neighbours, len(kinds) - 1)
    if near < 1:
        return None
    nearest = nearest_points(laid[known], near, np.arange(len(kinds)))
    return float((kinds[nearest] == kinds[:, None]).mean())
