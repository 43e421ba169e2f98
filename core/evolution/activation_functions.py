"""The activation functions of CPPNs, as Nguyen, Yosinski and Clune (2015) name them; values stay within [-1, 1]."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

__all__ = ["FUNCTIONS"]

Values: TypeAlias = np.ndarray[Any, Any]


def _sigmoid(x: Values) -> Values:
    """2 / (1 + e^-x) - 1, from -1 to 1; written with tanh, which does not overflow."""
    return np.asarray(np.tanh(0.5 * x))


def _gaussian(x: Values) -> Values:
    """e^(-x^2)."""
    return np.asarray(np.exp(-x * x))


def _linear(x: Values) -> Values:
    """x / 3, clipped to [-1, 1]."""
    return np.clip(x / 3, -1.0, 1.0)


FUNCTIONS: Mapping[str, Callable[[Values], Values]] = {
    "sine": np.sin,
    "sigmoid": _sigmoid,
    "gaussian": _gaussian,
    "linear": _linear,
}
"""By name; a node's number is its function's place in this order."""
