"""The density of image patches: a mixture of Gaussians (Zoran and Weiss, 2011), with the gradient of its logarithm.

    log p(x) = log sum_k w_k N(x; m_k, S_k),   d log p / dx = -sum_k r_k(x) S_k^-1 (x - m_k)

r_k(x) is the share of component k in p(x). With S_k = L_k L_k^T the distance of x to m_k in component k is the length
of L_k^-1 (x - m_k). A density of patches without their mean is one of the D - 1 coordinates at right angles to it, in
the orthonormal basis of `scipy.linalg.helmert`. All arrays are float64.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace

__all__ = ["PatchDensity", "mean_free_basis"]

Numbers = np.ndarray[Any, Any]


def mean_free_basis(numbers: int) -> Numbers:
    """(numbers, numbers - 1): orthonormal columns, each with the sum 0."""
    from scipy.linalg import helmert

    return np.asarray(helmert(numbers).T)


@dataclass(frozen=True, eq=False)
class PatchDensity:
    """K Gaussians of the D = C * P * P numbers of a patch, or of its D - 1 coordinates without the mean."""

    weights: Numbers
    """(K,), which add up to 1."""
    means: Numbers
    """(K, d), d = D, or D - 1 where patches are taken without their mean."""
    cholesky: Numbers
    """(K, d, d): the lower triangular factors L_k of the covariances."""
    shape: tuple[int, int, int]
    """Of a patch: (C, P, P)."""

    @property
    def numbers(self) -> int:
        """D, those of a patch."""
        return prod(self.shape)

    @property
    def keeps_mean(self) -> bool:
        """Whether the mean of a patch counts."""
        return bool(self.means.shape[1] == self.numbers)

    @cached_property
    def basis(self) -> Numbers:
        """(D, d): the coordinates of a patch are its numbers times this."""
        return np.eye(self.numbers) if self.keeps_mean else mean_free_basis(self.numbers)

    @cached_property
    def _whitening(self) -> tuple[Numbers, Numbers, Numbers]:
        """(K, D, d), (K, 1, d), (K, 1): L_k^-1 (x - m_k) is x W_k - b_k; the logarithms of w_k N(m_k; m_k, S_k)."""
        from scipy.linalg import solve_triangular

        whiten = np.stack([solve_triangular(each, self.basis.T, lower=True).T for each in self.cholesky])
        centres = np.stack(
            [solve_triangular(*pair, lower=True) for pair in zip(self.cholesky, self.means, strict=True)]
        )
        diagonals = np.log(np.diagonal(self.cholesky, axis1=1, axis2=2)).sum(axis=1)
        heights = np.log(self.weights) - diagonals - 0.5 * self.means.shape[1] * np.log(2 * np.pi)
        return whiten, centres[:, None, :], heights[:, None]

    def log_density(self, patches: Array) -> Array:
        """log p of patches (n, D), as float64, (n,)."""
        return self._parts(patches)[0]

    def log_density_and_gradient(self, patches: Array) -> tuple[Array, Array]:
        """log p of patches (n, D), (n,), and its gradient, (n, D)."""
        total, shares, whitened, matrices = self._parts(patches)
        xp = namespace(patches)
        return total, -xp.sum((shares[:, :, None] * whitened) @ xp.matrix_transpose(matrices), axis=0)

    def _parts(self, patches: Array) -> tuple[Array, Array, Array, Array]:
        """log p (n,), the shares (K, n), whitened patches (K, n, d), and the matrices that whiten them."""
        xp = namespace(patches)
        matrices, centres, heights = (like(each, patches) for each in self._whitening)
        whitened = patches[None, :, :] @ matrices - centres
        logs = heights - 0.5 * xp.sum(whitened * whitened, axis=2)
        top = xp.max(logs, axis=0)
        total = top + xp.log(xp.sum(xp.exp(logs - top), axis=0))
        return total, xp.exp(logs - total), whitened, matrices
