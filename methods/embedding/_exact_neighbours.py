"""Exact nearest neighbours among rows, each row's own left out, in memory that does not grow with their square."""

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["COSINE", "EUCLID", "exact_neighbours"]

Numbers = np.ndarray[Any, Any]
COSINE, EUCLID = "cosine", "euclid"
NUMBERS = 2**22
"""Of float64 in a block: 32 MiB."""


def exact_neighbours(rows: Numbers, count: int, metric: str) -> tuple[Numbers, Numbers]:
    """Places (n, count) of each row's nearest others, and their distances, float64; equal ones by the lower place.

    Matrix products in float64 choose candidates, with a margin above their rounding; what is sorted and returned comes
    from the differences themselves, so that nothing cancels where rows are nearly alike. The cosine distance 1 - cos
    is half the squared distance of rows of length 1; a row of zeros has 0 to others such and 1 to the rest.

    Args:
        rows: (n, width), finite.
        count: neighbours of each, below n.
        metric: "cosine" or "euclid".
    """
    total, width = rows.shape
    places, distances = np.empty((total, count), np.int64), np.empty((total, count))
    squares = np.concatenate([(part**2).sum(axis=1) for part in _parts(rows, metric)])
    margin = 8 * np.finfo(np.float64).eps * (width + 8) * float(squares.max())
    block = max(1, NUMBERS // total)
    for start in range(0, total, block):
        asked = _prepared(rows[start : start + block], metric)
        products = np.concatenate([asked @ part.T for part in _parts(rows, metric)], axis=1)
        about = squares[start : start + block, None] + squares - 2 * products
        about[np.arange(len(asked)), start + np.arange(len(asked))] = np.inf
        limits = np.partition(about, count - 1, axis=1)[:, count - 1] + 2 * margin
        for n, row in enumerate(asked):
            candidates = np.flatnonzero(about[n] <= limits[n])
            exact = _squared_distances(row, rows, candidates, metric)
            order = np.argsort(exact, kind="stable")[:count]
            places[start + n], distances[start + n] = candidates[order], exact[order]
    return places, distances / 2 if metric == COSINE else np.sqrt(distances)


def _squared_distances(row: Numbers, rows: Numbers, candidates: Numbers, metric: str) -> Numbers:
    step = max(1, NUMBERS // len(row))
    parts = (candidates[start : start + step] for start in range(0, len(candidates), step))
    return np.concatenate([((_prepared(rows[part], metric) - row) ** 2).sum(axis=1) for part in parts])


def _parts(rows: Numbers, metric: str) -> Iterator[Numbers]:
    step = max(1, NUMBERS // max(1, rows.shape[1]))
    return (_prepared(rows[start : start + step], metric) for start in range(0, len(rows), step))


def _prepared(rows: Numbers, metric: str) -> Numbers:
    """In float64; for the cosine of length 1, with one more column, 1 for rows of zeros."""
    values = np.asarray(rows, np.float64)
    if metric == EUCLID:
        return values
    largest = np.abs(values).max(axis=1, keepdims=True)
    zero = largest == 0
    scaled = values / np.where(zero, 1, largest)
    lengths = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return np.concatenate([scaled / np.where(zero, 1, lengths), zero], axis=1)
