"""UMAP (McInnes et al., 2018, https://arxiv.org/abs/1802.03426), where the package umap-learn is installed."""

import warnings
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ParameterError
from .layout import Layout, Numbers, at_places, checked_dimensions, checked_rows, library, usable

__all__ = ["umap"]


def umap(
    rows: Array,
    dimensions: int = 2,
    *,
    neighbours: int = 15,
    minimum_distance: float = 0.1,
    metric: str = "euclidean",
    seed: int = 0,
) -> Layout:
    """Rows laid out by umap-learn.

    It differs from run to run, even with a seed, so the layout is not repeatable.

    Args:
        rows: (N, columns); rows with NaN are left out.
        dimensions: of the points; at least 1.
        neighbours: of each row that are kept near it; fewer where there are not as many rows.
        minimum_distance: of points, in the unit of the layout.
        metric: of distances between rows: "euclidean", "cosine" or another of umap-learn's.
        seed: of its random numbers.

    Raises:
        ParameterError: umap-learn is not installed; rows that are no numbers in rows, or fewer than four.
    """
    given, wanted = checked_rows(rows), checked_dimensions(dimensions)
    known = usable(given)
    count = int(known.sum())
    package = library("umap", "umap-learn", "umap-learn, or take tsne or pca, which need 'crosslens[data]'")
    if count < wanted + 2:
        raise ParameterError(f"UMAP needs at least {wanted + 2} rows for {wanted} dimensions; {count} can be read")
    used = min(neighbours, count - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a seed means one thread
        fitted = package.UMAP(
            n_components=wanted, n_neighbors=used, min_dist=minimum_distance, metric=metric, random_state=seed
        ).fit(given[known])
    parameters: dict[str, Any] = {"dimensions": wanted, "neighbours": used, "minimum_distance": minimum_distance}
    parameters |= {"metric": metric, "seed": seed, "columns": given.shape[1]}
    notes = ["UMAP differs from run to run, even with the same seed"]
    if used < neighbours:
        notes.append(f"neighbours is {used} and not {neighbours}: there are {count} rows")

    def place(layout: Layout, new: Numbers) -> Numbers:
        return np.asarray(fitted.transform(new))

    points = at_places(np.asarray(fitted.embedding_), known)
    return Layout("umap", points, parameters, False, tuple(notes), {}, place)
