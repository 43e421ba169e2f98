"""Principal component analysis: rows projected onto the directions in which they vary most (Pearson, 1901)."""

from collections.abc import Mapping

import numpy as np

from ..arrays import Array
from ..result.display import counted
from .layout import Layout, Numbers, at_places, checked_dimensions, checked_rows, checked_seed, library, usable

__all__ = ["centred", "components_of", "in_range", "pca", "place_on_components", "put_in_range"]

SOLVABLE = 5_000
"""Columns up to which the covariance is decomposed whole, and not approximated by random projections."""
RANGE = 1e-12, 1e12
"""How far rows may spread, at least and at most, for libraries that square float32 numbers."""


def pca(rows: Array, dimensions: int = 2, *, seed: int = 0) -> Layout:
    """Rows projected onto their first principal components, by scikit-learn.

    The sign of each component is that which makes its largest weight positive, the first of equal ones. Where rows
    have fewer directions than dimensions, the others are 0. Memory: a copy of the rows, and columns times columns.

    Args:
        rows: (N, columns); rows with NaN are left out.
        dimensions: of the points; at least 1.
        seed: of the random projections that approximate the components where both N and the columns are large.

    Returns:
        The layout; `parameters["variance"]` is the share of the variance along each component.

    Raises:
        ParameterError: rows that are no numbers in rows; scikit-learn is not installed.
    """
    given, wanted = checked_rows(rows), checked_dimensions(dimensions)
    known, seed = usable(given), checked_seed(seed)
    mean, components, shares = components_of(given[known], wanted, seed)
    parameters = {
        "dimensions": wanted,
        "seed": seed,
        "columns": given.shape[1],
        "variance": [float(share) for share in shares],
    }
    state = {"mean": mean, "components": components}
    points = at_places(_projected(given[known], mean, components), known)
    notes = () if len(shares) == wanted else (_few(len(shares), wanted),)
    return Layout("pca", points, parameters, True, notes, state, place_on_components)


def _few(found: int, wanted: int) -> str:
    directions = counted(found, "direction") or "no direction"
    return f"the rows vary in {directions}, fewer than {wanted}: the other coordinates are 0"


def place_on_components(layout: Layout, rows: Numbers) -> Numbers:
    """New rows on the components of a layout."""
    return _projected(rows, layout.state["mean"], layout.state["components"])


def _projected(rows: Numbers, mean: Numbers, components: Numbers) -> Numbers:
    return centred(rows, mean) @ components.T


def centred(rows: Numbers, mean: Numbers) -> Numbers:
    """Rows less their mean, in float64."""
    return np.asarray(rows - mean.astype(np.float64))


def in_range(rows: Numbers) -> tuple[Numbers, dict[str, Numbers]]:
    """Rows whose squares float32 can hold, and by what `put_in_range` does the same with new rows.

    Rows that spread very far or hardly at all are moved to their middle and scaled by a power of two, for which a
    layout of neighbours is the same; others stay as they are.
    """
    middle = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])
    spread = float(np.abs(centred(rows, middle)).max(initial=0.0))
    if spread == 0 or RANGE[0] <= spread <= RANGE[1]:
        return rows, {}
    how = {"middle": middle, "scale": np.ldexp(1.0, np.array([-np.frexp(spread)[1]]))}
    return put_in_range(rows, how), how


def put_in_range(rows: Numbers, how: Mapping[str, Numbers]) -> Numbers:
    """Rows scaled as those were of which `in_range` told how."""
    return np.asarray(centred(rows, how["middle"]) * how["scale"]) if "scale" in how else rows


def components_of(rows: Numbers, dimensions: int, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    """The mean (columns,), the components (dimensions, columns) and the shares of variance of those that are not 0.

    Args:
        rows: (N, columns), finite; perhaps none.
        dimensions: of the points; components beyond what rows have are 0.
        seed: of random projections.
    """
    mean = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])
    components = np.zeros((dimensions, rows.shape[1]))
    possible = min(dimensions, len(rows), rows.shape[1])
    if not possible or not centred(rows, mean).any():
        return mean, components, np.zeros(0)
    analysis = library("sklearn.decomposition", "scikit-learn", "'crosslens[data]'").PCA
    solver = "covariance_eigh" if rows.shape[1] <= SOLVABLE <= len(rows) else "auto"
    fitted = analysis(possible, svd_solver=solver, random_state=seed).fit(in_range(centred(rows, mean))[0])
    found = fitted.components_[fitted.explained_variance_ratio_ > np.finfo(np.float32).eps]
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
    components[: len(found)] = found * np.where(largest < 0, -1.0, 1.0)
    return mean, components, fitted.explained_variance_ratio_[: len(found)]
