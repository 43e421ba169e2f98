"""t-SNE (van der Maaten and Hinton, 2008): by scikit-learn, above 5,000 rows by openTSNE, which also adds new points.

Both start from the principal components. Neighbours are exact, and the random numbers that are left have a seed, so
both give the same bits again with any number of threads (tests/core/layouts/test_layout.py).

Time on two cores: benchmarks/NOTES.md, "Layouts".
"""

from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from .layout import Layout, Numbers, at_places, checked_dimensions, checked_rows, checked_seed, library, usable
from .pca import centred, components_of, in_range, put_in_range

__all__ = [
    "ONE_PLACE",
    "exact_neighbours",
    "place_by_neighbours",
    "reduced",
    "suitable_perplexity",
    "tsne",
    "unit_length",
]

MANY = 5_000
"""Rows up to which scikit-learn computes the layout."""
THREADED = 20_000
"""Rows above which openTSNE computes with several threads."""
INTERPOLATED = 30_000
"""Points of a plane from which openTSNE computes forces by interpolation, and not by a tree: of 10,000 a step by a tree
took 0.06 s of processor time and one by interpolation 0.16."""
PLACED_BY_TREE = 10_000
"""Old points up to which forces on new ones come from a tree."""
COLUMNS = 50
"""Principal components that distances are measured on where rows are many and have more columns."""
START = 1e-4
"""The standard deviation of the points at the start, along the first component."""
ONE_PLACE = "all rows are the same: their points lie in one place"
PLACED_PERPLEXITY = 5
"""openTSNE's own value for new points."""


def tsne(
    rows: Array,
    dimensions: int = 2,
    *,
    perplexity: float = 30.0,
    seed: int = 0,
    start: Array = None,
    metric: str = "euclidean",
) -> Layout:
    """Rows laid out so that near neighbours stay near.

    Up to 5,000 rows the points are those of `sklearn.manifold.TSNE(dimensions, perplexity=..., init="pca",
    random_state=seed)`. Above, openTSNE's, with exact neighbours; distances are then measured on the first 50 principal
    components where rows have more columns, which a note says. Memory above: about 1.5 kB for each row beside the rows,
    more for a larger perplexity.

    Args:
        rows: (N, columns); rows with NaN are left out.
        dimensions: 1, 2 or 3; three take several times as long.
        perplexity: how many neighbours count, about; below the number of rows, else it is lowered, which a note says.
        seed: of what is random.
        start: (N, dimensions), where the points begin; its scale does not matter. If not given, principal components.
        metric: of distances between rows: "euclidean" or "cosine".

    Raises:
        ParameterError: rows that are no numbers in rows; another perplexity, start or metric; scikit-learn or openTSNE
            is not installed.
    """
    given, wanted = checked_rows(rows), checked_dimensions(dimensions, 3)
    if metric not in {"euclidean", "cosine"}:
        raise ParameterError(f"metric is {metric!r}; t-SNE takes euclidean or cosine")
    known, seed = usable(given), checked_seed(seed)
    own, scaled = in_range(unit_length(given[known]) if metric == "cosine" else given[known])
    used, notes = suitable_perplexity(perplexity, len(own))
    begin = None if start is None else _checked_start(start, (len(given), wanted))[known]
    many = len(own) > MANY
    parameters: dict[str, Any] = {"dimensions": wanted, "perplexity": used, "seed": seed, "metric": metric}
    parameters |= {"columns": given.shape[1], "library": "openTSNE" if many else "scikit-learn"}
    state = {"rows": own}
    if len(own) < 4 or not centred(own, own[0]).any():
        notes = (*notes, _alike(len(own)))
        points = centred(own, own.mean(axis=0)) @ components_of(own, wanted, seed)[1].T if len(own) else own[:, :0]
        points = points if len(own) else np.zeros((0, wanted))
    elif many:
        own, basis, more = reduced(own, seed)
        state, notes = {"rows": own.astype(np.float32), **basis}, (*notes, *more)
        points = _by_open_tsne(own, wanted, used, seed, begin)
    else:
        points = _by_scikit_learn(own, wanted, used, seed, begin)
    state = {**state, **scaled, "known": points.astype(np.float32)}
    return Layout("tsne", at_places(points, known), parameters, True, notes, state, place_by_neighbours)


def suitable_perplexity(perplexity: float, count: int) -> tuple[float, tuple[str, ...]]:
    """The perplexity for so many rows, and a note where it is not the one given.

    Raises:
        ParameterError: it is below 1.
    """
    if not isinstance(perplexity, int | float | np.number) or not perplexity >= 1:
        raise ParameterError(f"perplexity is {perplexity!r}; give a number of neighbours, at least 1; 5 to 50 is usual")
    if perplexity < count or count < 4:
        return float(perplexity), ()
    lower = max(1.0, (count - 1) / 3)
    return lower, (
        f"perplexity is {lower:.3g}, a third of the neighbours, and not {perplexity:g}: it must be less than the "
        f"{count} rows there are",
    )


def _alike(count: int) -> str:
    if count < 4:
        return f"t-SNE needs at least four rows, and {count} can be laid out: the points are principal components"
    return ONE_PLACE


def unit_length(rows: Numbers) -> Numbers:
    """Rows of length 1, between which Euclidean distances order as cosines do; a row of zeros stays."""
    length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), rows.dtype)


def _checked_start(start: Array, shape: tuple[int, int]) -> Numbers:
    given = as_numpy(start)
    if given.shape != shape:
        raise ParameterError(f"start has shape {given.shape}; give a point for each row, {shape}")
    return given


def reduced(rows: Numbers, seed: int) -> tuple[Numbers, dict[str, Numbers], tuple[str, ...]]:
    """Rows on their first principal components where they have many columns: these, the basis, and a note."""
    if rows.shape[1] <= COLUMNS:
        return rows, {}, ()
    mean, components, shares = components_of(rows, COLUMNS, seed)
    note = f"distances are those on the first {COLUMNS} principal components of {rows.shape[1]} columns, which hold "
    basis = {"mean": mean, "components": components}
    return centred(rows, mean) @ components.T, basis, (f"{note}{shares.sum():.1%} of the variance",)


def starting_points(rows: Numbers, dimensions: int, seed: int, given: Numbers | None) -> Numbers:
    """Where points begin: those given or the principal components, at t-SNE's small scale, no two in one place.

    Args:
        rows: (N, columns), finite.
        dimensions: of the points.
        seed: of what is added so that no two lie in one place, 1 % of the spread.
        given: (N, dimensions), of any scale; those with NaN begin in the middle.
    """
    points = components_of(rows, dimensions, seed)[1] if given is None else None
    at = np.asarray(given, np.float64) if points is None else centred(rows, rows.mean(axis=0)) @ points.T
    random = np.random.default_rng(seed).normal(size=at.shape)
    at = np.where(np.isfinite(at), at - np.nanmean(at, axis=0), 0)
    spread = at[:, 0].std() or at.std() or 1.0
    return np.asarray(START * (at / spread + 0.01 * random))


def _by_scikit_learn(rows: Numbers, dimensions: int, perplexity: float, seed: int, start: Numbers | None) -> Numbers:
    """scikit-learn's own call; where it cannot scale its first component, from `starting_points`."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    manifold = library("sklearn.manifold", "scikit-learn", "'crosslens[data]'")
    given: Any = "pca"
    if start is not None or min(rows.shape) < dimensions:
        given = starting_points(rows, dimensions, seed, start).astype(np.float32)
    with threadpool_limits(
        1, "openmp"
    ):  # a second thread only waits: 2,000 rows took 2.7 s with one and 6.6 s with two
        made = manifold.TSNE(dimensions, perplexity=perplexity, init=given, random_state=seed).fit_transform(rows)
    return np.asarray(made)


def threads_for(count: int) -> int:
    """Threads of openTSNE, -1 for all: a step over few points takes less time than threads wait for each other."""
    return -1 if count > THREADED else 1


def exact_neighbours(rows: Numbers, count: int, of: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """The nearest neighbours among rows, (M, count) indices and distances: of new rows, or of each among the others."""
    neighbors = library("sklearn.neighbors", "scikit-learn", "'crosslens[data]'")
    index = neighbors.NearestNeighbors(n_neighbors=count, n_jobs=-1).fit(rows)
    distances, places = index.kneighbors(of)
    return places, distances


def neighbour_affinities(rows: Numbers, perplexity: float) -> Any:
    """openTSNE's joint probabilities of the rows, from exact neighbours."""
    affinity = library("openTSNE.affinity", "openTSNE", "'crosslens[data]'")
    nearest = library("openTSNE.nearest_neighbors", "openTSNE", "'crosslens[data]'")
    count = min(len(rows) - 1, int(3 * perplexity))
    index = nearest.PrecomputedNeighbors(*exact_neighbours(rows, count))
    return affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=threads_for(len(rows)))


def _by_open_tsne(rows: Numbers, dimensions: int, perplexity: float, seed: int, start: Numbers | None) -> Numbers:
    package = library("openTSNE", "openTSNE", "'crosslens[data]'")
    affinities = neighbour_affinities(rows, perplexity)
    begin = starting_points(rows, dimensions, seed, start)
    way = "bh" if dimensions == 3 or len(rows) < INTERPOLATED else "fft"
    fitted = package.TSNE(
        dimensions, n_jobs=threads_for(len(rows)), random_state=seed, negative_gradient_method=way
    ).fit(affinities=affinities, initialization=begin)
    return np.asarray(fitted)


def place_by_neighbours(layout: Layout, rows: Numbers) -> Numbers:
    """New rows in a t-SNE layout, each drawn to its neighbours among the old ones, as openTSNE's `transform` does it.

    That starts a new point at the median of its 15 nearest and climbs for 250 steps, with perplexity 5.
    """
    state, points = layout.state, layout.state["known"].astype(np.float64)
    own = unit_length(rows) if layout.parameters["metric"] == "cosine" else rows
    own = put_in_range(own, state)
    own = centred(own, state["mean"]) @ state["components"].T if "components" in state else own
    count = min(len(points), 3 * PLACED_PERPLEXITY)
    if len(points) < 4:
        places, _ = exact_neighbours(state["rows"], 1, own)
        return np.asarray(points[places[:, 0]])
    from scipy.sparse import csr_matrix

    tsne_module = library("openTSNE.tsne", "openTSNE", "'crosslens[data]'")
    affinity = library("openTSNE.affinity", "openTSNE", "'crosslens[data]'")
    places, distances = exact_neighbours(state["rows"], count, own)
    shares = affinity.joint_probabilities_nn(
        places, distances, [min(PLACED_PERPLEXITY, count / 3)],
        symmetrize=False, normalization="point-wise", n_reference_samples=len(points),
    )  # fmt: skip
    middle = (points.max(axis=0) + points.min(axis=0)) / 2  # openTSNE moves the old points there
    nothing = affinity.PrecomputedAffinities(csr_matrix((len(points), len(points))), normalize=False)
    reference = tsne_module.TSNEEmbedding(points - middle, nothing, random_state=0)
    begin = np.median((points - middle)[places], axis=1)
    way = "bh" if points.shape[1] > 2 or len(points) < PLACED_BY_TREE else "fft"
    partial = tsne_module.PartialTSNEEmbedding(
        begin, reference, P=shares, dof=1, theta=0.5, n_interpolation_points=3, min_num_intervals=50,
        ints_in_interval=1, n_jobs=threads_for(len(points)), negative_gradient_method=way,
    )  # fmt: skip
    placed = partial.optimize(
        250, learning_rate=0.1, exaggeration=1.5, momentum=0.8, max_grad_norm=0.25, max_step_norm=None
    )
    return np.asarray(np.asarray(placed) + middle)
