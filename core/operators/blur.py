"""A Gaussian blur, by one matrix per axis."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError
from .operator import Operator

__all__ = ["Blur"]


@dataclass(frozen=True)
class Blur(Operator):
    """Each pixel becomes a mean of all, weighted by a Gaussian of `deviation` pixels that is cut off at the border.

    Flat pictures stay flat: the weights of each pixel sum to one. Near the border the operator is not symmetric, so the
    adjoint is not the blur itself.

    Raises:
        ParameterError: the deviation is not more than 0.
    """

    deviation: float

    def __post_init__(self) -> None:
        if not 0 < self.deviation < np.inf:
            raise ParameterError(f"the deviation of a blur is {self.deviation} pixels; it must be more than 0")

    def _matrices(self, x: Array) -> tuple[Array, Array]:
        height, width = x.shape[-2:]
        return like(_gaussian(height, self.deviation), x), like(_gaussian(width, self.deviation), x)

    def apply(self, x: Array) -> Array:
        """(..., H, W), blurred."""
        rows, columns = self._matrices(x)
        return rows @ x @ namespace(x).matrix_transpose(columns)

    def adjoint(self, y: Array) -> Array:
        """(..., H, W): the transposed matrices."""
        rows, columns = self._matrices(y)
        return namespace(y).matrix_transpose(rows) @ y @ columns


def _gaussian(n: int, deviation: float) -> np.ndarray[Any, Any]:
    """(n, n); each row a Gaussian around its pixel, summing to one."""
    places = np.arange(n)
    weights: np.ndarray[Any, Any] = np.exp(-0.5 * (np.subtract.outer(places, places) / deviation) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
