"""Confidence intervals of shares."""

from typing import Any

import numpy as np

__all__ = ["LEVEL", "wilson"]

LEVEL = 0.95
"""How often such an interval holds the true share."""
_Z = 1.959963984540054
"""The quantile of the normal distribution at (1 + LEVEL) / 2."""

Values = np.ndarray[Any, Any]


def wilson(count: Any, of: Any) -> tuple[Values, Values]:
    """The score interval of Wilson (1927) of shares `count` / `of`, at 95 %: its ends, of the arguments' shape.

    p = (c + z^2 / 2) / (n + z^2), half the width z / (n + z^2) sqrt(c (n - c) / n + z^2 / 4). It needs no normal
    approximation to the share itself, so that it has a width where all of n are alike; 0 and 1 where n is 0.
    """
    c, n = np.asarray(count, np.float64), np.asarray(of, np.float64)
    some = np.maximum(n, 1.0)
    middle = (c + _Z**2 / 2) / (some + _Z**2)
    half = _Z / (some + _Z**2) * np.sqrt(c * (some - c) / some + _Z**2 / 4)
    low, high = np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)
    low, high = np.where(c == 0, 0.0, low), np.where(c == n, 1.0, high)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)
