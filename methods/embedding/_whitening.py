"""Whitened directions: what tells a mean activation from what the layer does on all images."""

from typing import Any

import numpy as np

__all__ = ["whitened"]

Numbers = np.ndarray[Any, Any]


def whitened(rows: Numbers, means: Numbers, ridge: float) -> Numbers:
    """(C + ridge t I)^-1 m for each mean m, at length one: C = rows^T rows / n, t the mean eigenvalue.

    Carter et al. (2019) multiply by the inverse of the uncentred second moment C, which does not exist where a unit is
    dead or where there are fewer rows than units. Here Tikhonov's term stands in for what is missing, and with ridge 0
    the pseudo-inverse: eigenvalues below the largest one's rounding count as none. A dead unit gets 0 and changes
    nothing for the others.

    Args:
        rows: (n, units), the activations that C is of.
        means: (cells, units).
        ridge: at least 0; the larger, the nearer to the means themselves; infinite gives these.

    Returns:
        (cells, units), float32; a mean of zeros stays zeros.
    """
    aims = means.astype(np.float64)
    alive = rows.any(axis=0)
    if np.isinf(ridge) or not alive.any():
        return _unit_length(aims)
    wide = rows[:, alive].astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide / len(wide))
    level = values.clip(0, None) + ridge * values.mean()
    least = values[-1] * len(values) * np.finfo(np.float64).eps
    inverse = np.where(level > least, 1 / np.where(level > least, level, 1), 0)
    found = np.zeros_like(aims)
    found[:, alive] = aims[:, alive] @ (vectors * inverse) @ vectors.T
    return _unit_length(found)


def _unit_length(rows: Numbers) -> Numbers:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)
