"""The order of an explanation's values; values that differ by rounding only are equal."""

from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy

__all__ = ["TIE", "ranks", "round_ties"]

TIE = 1e-5
"""Values that differ by less than this share of the largest are equal: rounding must not decide about an order."""


def round_ties(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values in whole steps of `TIE` of their largest magnitude, float64: what differs by rounding only is equal."""
    exact = values.astype(np.float64)
    return np.asarray(np.round(exact / (np.abs(exact).max(initial=0.0) or 1.0) / TIE))


def ranks(values: Array) -> np.ndarray[Any, Any]:
    """The rank of each value from the largest down, from 0, of the shape of `values`; equal ones keep their order."""
    steps = round_ties(as_numpy(values)).ravel()
    order = np.empty(steps.size, np.int64)
    order[np.argsort(-steps, kind="stable")] = np.arange(steps.size)
    return order.reshape(values.shape)
