"""Colour decorrelation: from coordinates that vary on their own in pictures to their channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError
from .operator import Operator

__all__ = ["LUCID", "PHOTOGRAPHS", "Colour"]

Matrix = Sequence[Sequence[float]]

LUCID: Matrix = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""The square root of ImageNet's colour covariance as Lucid publishes it (`lucid.optvis.param.color`)."""
PHOTOGRAPHS: Matrix = ((0.2258, 0.0920, -0.0285), (0.2340, -0.0047, 0.0616), (0.2320, -0.0848, -0.0344))
"""Ours: U sqrt(S) of the covariance of RGB pixels in [0, 1], measured by benchmarks/colour_statistics.py on 25 natural
photographs: astronaut, chelsea, coffee, motorcycle_left and rocket of scikit-image 0.26.0, and the 20 of foolbox 3.3.4.
"""
FLAT = 0.01
"""The least length of an axis, as a share of the longest."""
CONSTANT = 1e-12
"""Pixels in [0, 1] whose largest variance is less, a millionth of the range squared, do not vary but for rounding."""


@dataclass(frozen=True)
class Colour(Operator):
    """y[n, i] = sum_j M[i, j] x[n, j] for pictures (N, C, H, W)."""

    matrix: Sequence[Sequence[float]]

    @classmethod
    def decorrelated(cls, root: Matrix = PHOTOGRAPHS) -> "Colour":
        """The square root of a covariance, scaled so that its longest column has length one (as Lucid does)."""
        scaled = np.asarray(root) / np.linalg.norm(root, axis=0).max()
        return cls(tuple(map(tuple, scaled.tolist())))

    @classmethod
    def principal(cls, covariance: Array) -> "Colour":
        """The principal axes of colours with this covariance (C, C), strongest first: U sqrt(S), scaled as above.

        Each column's largest entry is positive. An axis along which colours hardly vary gets `FLAT` of the strongest
        one's deviation, so that every colour can be reached. Colours that do not vary at all keep their channels as
        axes. Entries are rounded to six decimals: one covariance gives one matrix on all processors.

        Raises:
            ParameterError: not a covariance: not square, not symmetric, or with NaN.
        """
        matrix = np.asarray(covariance, np.float64)
        square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 0
        if not square or not np.allclose(matrix, matrix.T):
            raise ParameterError(
                f"a covariance of colours is a symmetric matrix (C, C) of numbers; this has the shape {matrix.shape}"
            )
        axes, variances, _ = np.linalg.svd(matrix)
        if variances[0] < CONSTANT:
            return cls(tuple(map(tuple, np.eye(len(matrix)).tolist())))
        columns = axes * np.sqrt(np.maximum(variances / variances[0], FLAT**2))
        columns *= np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(len(matrix))])
        return cls(tuple(map(tuple, np.round(columns, 6).tolist())))

    def _mix_channels(self, matrix: Array, x: Array) -> Array:
        if x.shape[1] != len(self.matrix):
            raise ParameterError(f"a colour matrix for {len(self.matrix)} channels cannot mix {x.shape[1]}")
        xp = namespace(x)
        return xp.reshape(like(matrix, x) @ xp.reshape(x, (*x.shape[:2], -1)), x.shape)

    def apply(self, x: Array) -> Array:
        """(N, C, H, W) to (N, C, H, W).

        Raises:
            ParameterError: another number of channels.
        """
        return self._mix_channels(np.asarray(self.matrix), x)

    def adjoint(self, y: Array) -> Array:
        """The transposed matrix."""
        return self._mix_channels(np.asarray(self.matrix).T, y)

    def inverse(self, y: Array) -> Array:
        """The inverse matrix."""
        return self._mix_channels(np.linalg.inv(np.asarray(self.matrix)), y)
