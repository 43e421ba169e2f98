"""Non-negative matrix factorisation (Lee and Seung 1999), by scikit-learn, started so that it repeats."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.errors import ParameterError

__all__ = ["Factorisation", "factorised"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Factorisation:
    """X, about weights times factors, all at least 0; the strongest group first, by its sum of weights."""

    weights: Numbers
    """(P, groups), in the unit of X."""
    factors: Numbers
    """(groups, C), each of length one, or all zeros."""
    error: float
    """The length of what is missing over that of X, both as vectors: 0 where nothing is, 1 where all is."""


def factorised(matrix: Numbers, groups: int, iterations: int, seed: int) -> Factorisation:
    """Factorise a matrix: `sklearn.decomposition.NMF(groups, init="nndsvd", tol=0)`, its factors made of length one.

    With no tolerance it takes the same number of iterations on any backend, whose activations differ in the last bits.

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
    except ImportError as error:
        raise ParameterError("groups are factorised by scikit-learn: pip install 'crosslens[data]'") from error
    solver = NMF(groups, init="nndsvd", solver="cd", tol=0, max_iter=iterations, random_state=seed)
    weights = solver.fit_transform(matrix)
    factors = solver.components_
    missing = float(np.linalg.norm(matrix - weights @ factors) / np.linalg.norm(matrix))
    lengths = np.linalg.norm(factors, axis=1)
    weights = weights * lengths
    factors = factors / np.where(lengths > 0, lengths, 1)[:, None]
    order = np.argsort(-weights.sum(axis=0), kind="stable")
    return Factorisation(weights[:, order], factors[order], missing)
