"""Fitting a mixture of Gaussians to patches, with scikit-learn."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress

__all__ = ["FittedMixture", "check_sklearn", "fit_mixture"]

Numbers = np.ndarray[Any, Any]
AT_ONCE = 5
"""Iterations between two reports of progress."""
MOST = 100
"""Iterations of expectation maximisation, as scikit-learn's."""


@dataclass(frozen=True)
class FittedMixture:
    """K Gaussians of rows (N, d), the heaviest first."""

    weights: Numbers
    """(K,)."""
    means: Numbers
    """(K, d)."""
    cholesky: Numbers
    """(K, d, d), lower triangular factors of the covariances."""
    log_likelihood: float
    """The mean of log p over the rows."""
    converged: bool


def check_sklearn() -> Any:
    """scikit-learn's module of mixtures.

    Raises:
        ParameterError: it is not installed.
    """
    try:
        from sklearn import mixture
    except ImportError as error:
        raise ParameterError("mixtures are fitted by scikit-learn: pip install 'crosslens[data]'") from error
    return mixture


def fit_mixture(rows: Numbers, components: int, noise: float, seed: int, progress: Progress) -> FittedMixture:
    """`sklearn.mixture.GaussianMixture(components, reg_covar=noise**2, random_state=seed)` of rows (N, d).

    Args:
        rows: float64.
        components: at most N.
        noise: the least deviation in any direction.
        seed: of the start.
        progress: told every few iterations.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    mixture = check_sklearn()
    fitted = mixture.GaussianMixture(
        components, reg_covar=noise**2, random_state=seed, max_iter=AT_ONCE, warm_start=True
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", mixture._base.ConvergenceWarning)
        for done in range(0, MOST, AT_ONCE):
            progress(done, MOST, "fitting the mixture")
            if fitted.fit(rows).converged_:
                break
        likelihood = float(fitted.score(rows))
    progress(MOST, MOST, "fitting the mixture")
    order = np.argsort(-fitted.weights_, kind="stable")
    cholesky = np.linalg.cholesky(fitted.covariances_[order])
    return FittedMixture(fitted.weights_[order], fitted.means_[order], cholesky, likelihood, bool(fitted.converged_))
