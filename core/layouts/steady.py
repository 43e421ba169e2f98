"""`steady`: the rows of one data set in several checkpoints of a network, in layouts to compare point by point.

Each layout begins where the one before ended and is drawn to it, as in dynamic t-SNE (Rauber et al., 2016), a point the
more the less its row has changed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ParameterError, unknown_name
from .layout import Layout, Numbers, at_places, checked_dimensions, checked_rows, checked_seed, library, usable
from .pca import centred, components_of, in_range, place_on_components
from .tsne import (
    INTERPOLATED,
    MANY,
    ONE_PLACE,
    exact_neighbours,
    neighbour_affinities,
    place_by_neighbours,
    reduced,
    starting_points,
    suitable_perplexity,
    threads_for,
)

__all__ = ["aligned", "steady", "unchanged"]

NEAR = 15
"""Neighbours by which a row is judged to have changed."""
STEPS = (250, 500)
"""Steps of the first layout with early exaggeration, and without."""
LATER_STEPS = (100, 400)
"""The same of each layout after it."""
EXAGGERATION = (12.0, 4.0)
"""Early exaggeration of the first layout, as openTSNE has it, and of each after it, which holds more together."""
SHARPNESS = 4
"""The power of `unchanged` by which the force is weighted: a row of which half is the same is drawn a sixteenth."""
FEWEST = 5
"""Rows that t-SNE needs here."""


def steady(
    rows: Sequence[Array],
    name: str = "tsne",
    dimensions: int = 2,
    *,
    perplexity: float = 30.0,
    seed: int = 0,
    pull: float = 0.3,
) -> tuple[Layout, ...]:
    """A layout for each checkpoint, in which points whose rows did not change stay where they are.

    "tsne": each layout after the first begins at the points of the one before; a point whose row changed at the median
    of the old points of its new neighbours. t-SNE then climbs with a force towards the old points, weighted by
    `unchanged`, and the layout is turned and moved onto the one before (`aligned`). All are computed by openTSNE.

    "pca": all rows are projected onto the principal components of all checkpoints together, so that equal rows have
    equal points. Where rows differ in length, each layout is turned, moved and scaled onto the one before.

    Args:
        rows: for each checkpoint (N, columns), of the same images in the same order; columns may differ. A row that is
            NaN in one checkpoint is left out of all.
        name: "tsne" or "pca".
        dimensions: of the points; at most 3 for t-SNE.
        perplexity: see `tsne`.
        seed: of what is random.
        pull: the strength of the force, 0 for none. Stronger ones move points less and show change less.

    Raises:
        ParameterError: fewer than two checkpoints, or not as many rows in each; another name; a parameter out of range.
    """
    given = [checked_rows(each) for each in rows]
    if len(given) < 2 or len({len(each) for each in given}) > 1:
        counts = ", ".join(str(len(each)) for each in given) or "none"
        raise ParameterError(
            f"steady layouts take the rows of two checkpoints or more, as many in each; received {counts}"
        )
    if name not in {"tsne", "pca"}:
        raise ParameterError(unknown_name("steady layout", name, ("tsne", "pca")))
    if not isinstance(pull, int | float | np.number) or not 0 <= pull < np.inf:
        raise ParameterError(f"pull is {pull!r}; give a number, at least 0")
    seed, wanted = checked_seed(seed), checked_dimensions(dimensions, 3 if name == "tsne" else None)
    known = np.logical_and.reduce([usable(each) for each in given])
    if name == "pca":
        return _by_pca(given, known, wanted, seed)
    return _by_tsne(given, known, _Settings(wanted, perplexity, seed, pull))


class _Settings(NamedTuple):
    dimensions: int
    perplexity: float
    seed: int
    pull: float


def unchanged(before: Array, after: Array, *, near: int = NEAR) -> Numbers:
    """How far each row is what it was, (N,), from 0 to 1: the larger of two shares, each in units of its surroundings.

    One is the share of its nearest neighbours that are the same, which no rotation or scaling of all rows changes. The
    other is exp(-(d / r)^2), d the distance that the row moved and r that to the last of those neighbours before; it is
    0 where rows differ in length.

    Args:
        before: (N, columns), finite.
        after: (N, columns), of the same images.
        near: neighbours.
    """
    first, last = checked_rows(before), checked_rows(after)
    count = min(near, len(first) - 1)
    places, distances = exact_neighbours(first, count)
    later, _ = exact_neighbours(last, count)
    kept = np.array([len(set(one) & set(other)) for one, other in zip(places.tolist(), later.tolist(), strict=True)])
    shares = kept / count
    if first.shape == last.shape:
        moved = np.linalg.norm(last.astype(np.float64) - first, axis=1)
        radius = distances[:, -1]
        far = np.divide(moved, radius, out=np.where(moved > 0, np.inf, 0.0), where=radius > 0)
        shares = np.maximum(shares, np.exp(-(np.minimum(far, 30.0) ** 2)))
    return np.asarray(shares)


def aligned(points: Array, onto: Array, weights: Array = None, *, scale: bool = False) -> Numbers:
    """Points turned, mirrored and moved so that they lie as near as possible to others (Procrustes; Schönemann, 1966).

    Args:
        points: (N, d).
        onto: (N, d), what each of them should lie near to, in the sense of least squares.
        weights: (N,), how much each counts; alike if not given.
        scale: whether they are made larger or smaller, too.
    """
    own, there = np.asarray(points, np.float64), np.asarray(onto, np.float64)
    share = np.ones(len(own)) if weights is None else np.asarray(weights, np.float64)
    share = (share if share.sum() > 0 else np.ones(len(own)))[:, None]
    share = share / share.sum()
    from_middle, to_middle = own - (share * own).sum(axis=0), (share * there).sum(axis=0)
    left, values, right = np.linalg.svd((share * from_middle).T @ (there - to_middle))
    size = (share * from_middle**2).sum()
    factor = values.sum() / size if scale and size > 0 else 1.0
    return np.asarray(factor * from_middle @ (left @ right) + to_middle)


def _by_pca(given: Sequence[Numbers], known: Numbers, dimensions: int, seed: int) -> tuple[Layout, ...]:
    if len({each.shape[1] for each in given}) == 1:
        basis = [components_of(np.concatenate([each[known] for each in given]), dimensions, seed)] * len(given)
    else:
        basis = [components_of(each[known], dimensions, seed) for each in given]
    layouts: list[Layout] = []
    for rows, (mean, components, shares) in zip(given, basis, strict=True):
        parameters = {"dimensions": dimensions, "seed": seed, "columns": rows.shape[1]}
        parameters["variance"] = [float(share) for share in shares]
        points = centred(rows[known], mean) @ components.T
        state = {"mean": mean, "components": components}
        if layouts and basis[0] is not basis[-1]:
            points, state = aligned(points, layouts[-1].points[known], scale=True), {}
        placing = place_on_components if state else None
        layouts.append(Layout("pca", at_places(points, known), parameters, True, (), state, placing))
    return tuple(layouts)


def _by_tsne(given: Sequence[Numbers], known: Numbers, settings: _Settings) -> tuple[Layout, ...]:
    count = int(known.sum())
    if count < FEWEST:
        raise ParameterError(f"steady t-SNE needs at least {FEWEST} rows; {count} can be laid out in all checkpoints")
    wanted, (perplexity, notes) = settings.dimensions, suitable_perplexity(settings.perplexity, count)
    settings = settings._replace(perplexity=perplexity)
    layouts: list[Layout] = []
    before: Numbers | None = None
    for rows in given:
        own, scaled = in_range(rows[known])
        own, basis, more = reduced(own, settings.seed) if count > MANY else (own, {}, ())
        old = layouts[-1].state["known"].astype(np.float64) if layouts else np.zeros((count, wanted))
        if not np.ptp(own, axis=0).any():
            points, more = np.tile(old.mean(axis=0), (count, 1)), (*more, ONE_PLACE)
        elif before is None or not np.ptp(old, axis=0).any():
            points = _first(own, settings)
        else:
            points = _next(before, own, old, settings)
        before = own
        parameters = {**settings._asdict(), "metric": "euclidean", "columns": rows.shape[1], "library": "openTSNE"}
        state = {"rows": own.astype(np.float32), **basis, **scaled, "known": points.astype(np.float32)}
        every = at_places(points, known)
        layouts.append(Layout("tsne", every, parameters, True, (*notes, *more), state, place_by_neighbours))
    return tuple(layouts)


def _first(rows: Numbers, settings: _Settings) -> Numbers:
    begin = starting_points(rows, settings.dimensions, settings.seed, None)
    points = _climbed(rows, begin, settings, STEPS, EXAGGERATION[0], _objective(settings.dimensions, len(rows)))
    return np.asarray(points - points.mean(axis=0))


def _next(before: Numbers, after: Numbers, old: Numbers, settings: _Settings) -> Numbers:
    """The points of a checkpoint, from its rows, those before and the points before."""
    same = unchanged(before, after)[:, None]
    places, _ = exact_neighbours(after, min(NEAR, len(after) - 1))
    begin = same * old + (1 - same) * np.median(old[places], axis=1)
    middle, weights = old.mean(axis=0), same**SHARPNESS
    free = _objective(settings.dimensions, len(after))

    def drawn(embedding: Any, affinities: Any, **parameters: Any) -> tuple[float, Numbers]:
        """t-SNE's error, and its gradient with the force towards the old points."""
        error, gradient = free(embedding, affinities, **parameters)
        return error, gradient + settings.pull / len(old) * weights * (np.asarray(embedding) - (old - middle))

    points = _climbed(after, begin - middle, settings, LATER_STEPS, EXAGGERATION[1], drawn)
    return aligned(points, old, weights[:, 0])


def _objective(dimensions: int, count: int) -> Any:
    """openTSNE's divergence and gradient: by a tree for few points or in space, else by interpolation."""
    module = library("openTSNE.tsne", "openTSNE", "'crosslens[data]'")
    return module.kl_divergence_bh if dimensions > 2 or count < INTERPOLATED else module.kl_divergence_fft


def _climbed(
    rows: Numbers, begin: Numbers, settings: _Settings, steps: tuple[int, int], exaggeration: float, objective: Any
) -> Numbers:
    """t-SNE from points at these places."""
    package = library("openTSNE", "openTSNE", "'crosslens[data]'")
    affinities = neighbour_affinities(rows, settings.perplexity)
    embedding = package.TSNEEmbedding(
        begin, affinities, negative_gradient_method=objective, n_jobs=threads_for(len(rows)), random_state=settings.seed
    )
    embedding.optimize(steps[0], exaggeration=exaggeration, momentum=0.8, inplace=True)
    embedding.optimize(steps[1], momentum=0.8, inplace=True)
    return np.asarray(embedding)
