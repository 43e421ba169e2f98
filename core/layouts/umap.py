"""UMAP (McInnes et al., 2018, https://arxiv.org/abs/1802.03426), where the package umap-learn is installed."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ParameterError
from .layout import Layout, Numbers, at_places, checked_dimensions, checked_rows, checked_seed, library, usable
from .pca import in_range, put_in_range

__all__ = ["check_umap", "place_by_umap", "umap"]


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
        ParameterError: umap-learn is not installed; rows that are no numbers in rows, or too few; fewer than two
            neighbours.
    """
    given, wanted = checked_rows(rows), checked_dimensions(dimensions)
    known, seed = usable(given), checked_seed(seed)
    count = int(known.sum())
    check_umap()
    if neighbours < 2:
        raise ParameterError(f"neighbours is {neighbours}; UMAP needs at least 2; 5 to 50 is usual")
    if count < wanted + 2:
        raise ParameterError(f"UMAP needs at least {wanted + 2} rows for {wanted} dimensions; {count} can be read")
    used = min(neighbours, count - 1)
    parameters: dict[str, Any] = {"dimensions": wanted, "neighbours": used, "minimum_distance": minimum_distance}
    parameters |= {"metric": metric, "seed": seed, "columns": given.shape[1]}
    notes = ["UMAP differs from run to run, even with the same seed"]
    if used < neighbours:
        notes.append(f"neighbours is {used} and not {neighbours}: there are {count} rows")
    own, scaled = in_range(given[known]) if metric == "euclidean" else (given[known], {})
    own = own.astype(np.float32)
    if not np.ptp(own, axis=0).any():
        notes.append("all rows are the same: where their points lie means nothing")
    laid = np.asarray(_fitted(own, parameters).embedding_, np.float32)
    return Layout(
        "umap",
        at_places(laid, known),
        parameters,
        False,
        tuple(notes),
        {"rows": own, **scaled, "known": laid},
        place_by_umap,
    )


def place_by_umap(layout: Layout, rows: Numbers) -> Numbers:
    """New rows in a UMAP layout, by umap-learn's `transform`.

    That takes a fitted object, which no file can hold: it is fitted again with no step, and its points are the old
    ones, which gives what the first one gives.
    """
    known = np.asarray(layout.state["known"], np.float32)
    fitted = _fitted(layout.state["rows"], layout.parameters, init=known, n_epochs=0)
    fitted.embedding_, fitted.n_epochs = known, None
    return np.asarray(fitted.transform(put_in_range(rows, layout.state).astype(np.float32)))


def check_umap() -> Any:
    """The package, if it is installed.

    Raises:
        ParameterError: it is not.
    """
    return library("umap", "umap-learn", "umap-learn, or take tsne or pca, which need 'crosslens[data]'")


def _fitted(rows: Numbers, parameters: Mapping[str, Any], **options: Any) -> Any:
    package = check_umap()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a seed means one thread
        return package.UMAP(
            n_components=parameters["dimensions"], n_neighbors=parameters["neighbours"],
            min_dist=parameters["minimum_distance"], metric=parameters["metric"], random_state=parameters["seed"],
            **options,
        ).fit(rows)  # fmt: skip
