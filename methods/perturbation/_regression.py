"""Weighted linear regression of a target on the presence of superpixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from crosslens.errors import ModelError

from ._segmented_image import Floats

__all__ = ["LinearModel", "Solver", "explained_share", "lasso", "linear_fit", "ridge"]

Solver: TypeAlias = Callable[[Floats, Floats], Floats]
"""From G (K, K) and m (K,) to the w (K,) at which w' G w / 2 - w' m and a penalty are least."""
ROUNDING = 2.0**-23
"""The spacing of float32 numbers at 1: what a network's values are off by rounding."""
SWEEPS, TOLERANCE = 1000, 1e-10
"""At most so many passes of the lasso over its coefficients, until the largest change is this share of the largest."""


@dataclass(frozen=True)
class LinearModel:
    """The target of one image as intercept + the coefficients of the superpixels that are shown."""

    coefficients: Floats
    """(K,)"""
    intercept: float
    fit: float
    """The share of the target's weighted variance that it explains."""


def linear_fit(z: Floats, y: Floats, weights: Floats, solve: Solver) -> LinearModel:
    """The linear model y = intercept + z coefficients that a solver finds.

    Args:
        z: what the target is regressed on, (S, K).
        y: the target of each copy, (S,).
        weights: how much each copy counts, (S,), adding up to one.
        solve: least squares with a penalty.

    Raises:
        ModelError: the target is not finite for every copy.
    """
    if count := int((~np.isfinite(y)).sum()):
        raise ModelError(
            f"the target is NaN or infinite for {count} of {len(y)} copies of the image: look at the weights"
        )
    centre, mean = weights @ z, float(weights @ y)
    a, b = z - centre, y - mean
    coefficients = solve(a.T @ (weights[:, None] * a), a.T @ (weights * b))
    fit = explained_share(y, b, b - a @ coefficients, weights)
    return LinearModel(coefficients, mean - float(centre @ coefficients), fit)


def explained_share(y: Floats, centred: Floats, residual: Floats, weights: Floats) -> float:
    """The share of the weighted variance that a model explains; 1 where a target y (S,) varies by rounding only.

    Args:
        y: the target.
        centred: y less its weighted mean.
        residual: y less what the model says.
        weights: of the S copies.
    """
    spread = float(weights @ centred**2)
    least = weights.sum() * (ROUNDING * np.abs(y).max(initial=0.0)) ** 2
    return 1 - float(weights @ residual**2) / spread if spread > least else 1.0


def ridge(penalty: float) -> Solver:
    """The penalty is penalty |w|^2 / 2; with next to none, of all w that fit as well the one of least norm."""

    def solve(gram: Floats, moment: Floats) -> Floats:
        if penalty > ROUNDING**2 * np.abs(gram).max(initial=0.0):
            return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), moment))
        return np.asarray(np.linalg.lstsq(gram, moment, rcond=None)[0])

    return solve


def lasso(penalty: float, *, share: bool) -> Solver:
    """The penalty is t |w|_1, t being `penalty`, or this share of the least t with which all w are 0.

    Coordinate descent (Friedman, Hastie and Tibshirani 2010, equation 5).
    """

    def solve(gram: Floats, moment: Floats) -> Floats:
        threshold, w = penalty * (float(np.abs(moment).max()) if share else 1.0), np.zeros_like(moment)
        for _ in range(SWEEPS):
            before = w.copy()
            for k in np.flatnonzero(np.diag(gram) > 0):
                pull = moment[k] - gram[k] @ w + gram[k, k] * w[k]
                w[k] = np.sign(pull) * max(abs(pull) - threshold, 0.0) / gram[k, k]
            if np.abs(w - before).max() <= TOLERANCE * np.abs(w).max():
                break
        return w

    return solve
