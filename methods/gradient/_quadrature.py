"""Rules of numerical integration over [0, 1]: at which points a function is evaluated, and how much each counts."""

from typing import Any, TypeAlias

import numpy as np
from crosslens.errors import ParameterError

__all__ = ["RULES", "Quadrature", "quadrature"]

Quadrature: TypeAlias = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Points between 0 and 1, and their weights."""

RULES = ("gauss_legendre", "trapezoid", "left", "right", "middle", "mean")
"""Gauss-Legendre, the trapezoidal rule, three Riemann sums, and the plain mean of points with both ends among them."""


def quadrature(rule: str, steps: int) -> Quadrature:
    """The points of a rule between 0 and 1, and their weights, (steps,) each; the weights add up to 1.

    Raises:
        ParameterError: too few steps for the rule.
    """
    least = 2 if rule in {"trapezoid", "mean"} else 1
    if steps < least:
        raise ParameterError(f"steps is {steps}; the rule {rule!r} needs at least {least}")
    if rule == "gauss_legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return (points + 1) / 2, weights / 2
    if rule == "mean":
        return np.linspace(0, 1, steps), np.full(steps, 1 / steps)
    if rule == "trapezoid":
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weights
    shift = {"left": 0.0, "middle": 0.5, "right": 1.0}[rule]
    return (np.arange(steps) + shift) / steps, np.full(steps, 1 / steps)
