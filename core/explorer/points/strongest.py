"""The units that stand out in each image: those whose activation lies most deviations above its mean over the data."""

from typing import Any

import numpy as np

from ...layouts.layout import Numbers

__all__ = ["COUNT", "NONE", "strongest_units"]

COUNT = 3
"""Units of each image."""
NONE = 65_535
"""In place of a unit where an image has no row; layers with as many units have none at all."""
CHUNK = 8_192
"""Rows that are held at once in float64."""


def strongest_units(rows: Numbers, count: int = COUNT) -> np.ndarray[Any, Any] | None:
    """(N, count), uint16, the strongest first; of equal ones the first unit. None of too many or too few units.

    Args:
        rows: (N, units), activations; NaN of an image that could not be read.
        count: units of each image.
    """
    images, units = rows.shape
    if not count <= units < NONE:
        return None
    parts = [slice(start, start + CHUNK) for start in range(0, images, CHUNK)]
    known = np.concatenate([np.isfinite(rows[part]).all(axis=1) for part in parts])
    found = np.full((images, count), NONE, np.uint16)
    if not known.any():
        return found
    mean = sum(_rows(rows, known, part).sum(axis=0) for part in parts) / known.sum()
    spread = sum(((_rows(rows, known, part) - mean) ** 2).sum(axis=0) for part in parts) / known.sum()
    deviation = np.sqrt(spread)
    flat = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)  # float32 gives equal numbers such deviations
    deviation[flat] = np.inf
    for part in parts:
        score = (_rows(rows, known, part) - mean) / deviation
        order = np.argsort(-score, axis=1, kind="stable")[:, :count]
        found[part][known[part]] = order
    return found


def _rows(rows: Numbers, known: Numbers, part: slice) -> Any:
    return np.asarray(rows[part], np.float64)[known[part]]
