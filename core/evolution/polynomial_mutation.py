"""Polynomial mutation of numbers within bounds (Deb and Goyal 1996; Deb 2001, section 4.2.4)."""

from typing import Any, TypeAlias

import numpy as np

__all__ = ["polynomial_mutation"]

Values: TypeAlias = np.ndarray[Any, Any]


def polynomial_mutation(x: Values, draws: Values, low: float, high: float, eta: float) -> Values:
    """Numbers near `x`, clipped to the bounds; the higher `eta`, the nearer.

    x + delta (high - low), where delta in (-1, 1) has the density (eta + 1) / 2 (1 - |delta|)^eta: delta is
    (2u)^(1 / (eta + 1)) - 1 for u < 0.5, else 1 - (2 - 2u)^(1 / (eta + 1)).

    Args:
        x: any shape, within the bounds.
        draws: u, of the same shape, evenly drawn from [0, 1).
        low: the least value that numbers may have.
        high: the largest one.
        eta: the distribution index, not negative.
    """
    power = 1 / (eta + 1)
    delta = np.where(draws < 0.5, (2 * draws) ** power - 1, 1 - (2 - 2 * draws) ** power)
    return np.asarray(np.clip(x + delta * (high - low), low, high))
