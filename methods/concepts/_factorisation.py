"""Non-negative matrix factorisation (Lee and Seung 1999), by scikit-learn, started so that it repeats."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from crosslens.arrays import array_digest
from crosslens.errors import ParameterError

__all__ = ["Factorisation", "Rows", "factorised", "masks_of"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rows:
    """X, a matrix (P, C) that is told from others by its digest."""

    values: Numbers = field(compare=False, repr=False)
    digest: str

    @classmethod
    def of(cls, values: Numbers) -> "Rows":
        """The matrix with its digest."""
        return cls(values, array_digest(values))


@dataclass(frozen=True)
class Factorisation:
    """X, about weights times factors, all at least 0; the strongest group first, by its sum of weights."""

    factors: Numbers
    """(groups, C), float64, each of length one, or all zeros."""
    error: float
    """The length of what is missing over that of X, both as vectors: 0 where nothing is, 1 where all is."""


@lru_cache(maxsize=2)
def factorised(matrix: Rows, groups: int, iterations: int, seed: int) -> Factorisation:
    """Factorise a matrix: `sklearn.decomposition.NMF(groups, init="nndsvd", tol=0)`, its factors made of length one.

    With no tolerance it takes the same number of iterations on any backend, whose activations differ in the last bits.
    The last ones are remembered, for a sweep asks several times.

    Args:
        matrix: X, (P, C), at least 0, not zero throughout.
        groups: at most P and C.
        iterations: sweeps of coordinate descent.
        seed: of the randomised singular value decomposition that it starts from.

    Raises:
        ParameterError: scikit-learn is not installed.
    """
    try:
        from sklearn.decomposition import NMF
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError as error:
        raise ParameterError("groups are factorised by scikit-learn: pip install 'crosslens[data]'") from error
    solver = NMF(groups, init="nndsvd", solver="cd", tol=0, max_iter=iterations, random_state=seed)
    with threadpool_limits(limits=1):  # the same bits whatever the processor has
        weights = solver.fit_transform(matrix.values)
    factors = solver.components_
    missing = float(np.linalg.norm(matrix.values - weights @ factors) / np.linalg.norm(matrix.values))
    lengths = np.linalg.norm(factors, axis=1)
    weights = weights * lengths
    factors = factors / np.where(lengths > 0, lengths, 1)[:, None]
    return Factorisation(factors[np.argsort(-weights.sum(axis=0), kind="stable")], missing)


def masks_of(maps: Numbers, factors: Numbers) -> Numbers:
    """The weights, at least 0, with which factors (K, C) come nearest to maps (N, C, h, w): (N, K, h, w), float64.

    Non-negative least squares at each position (Lawson and Hanson 1974), whatever the other positions are.
    """
    from scipy.optimize import nnls

    basis, triangle = np.linalg.qr(factors.T)
    seen = np.einsum("ck,nchw->nhwk", basis, maps.astype(np.float64), optimize=True)
    found = np.stack([nnls(triangle, row)[0] for row in seen.reshape(-1, seen.shape[-1])])
    return np.asarray(found.reshape(*seen.shape[:3], -1).transpose(0, 3, 1, 2))
