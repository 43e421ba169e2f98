"""Making pictures by optimisation: parameterisation, transforms, objective, steps, saved runs."""

from .drift import Drift

__all__ = ["Drift"]
