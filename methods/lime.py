"""LIME (Ribeiro, Singh and Guestrin, 2016, https://arxiv.org/abs/1602.04938)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param

from .superpixels import Floats, Pieces, SuperpixelMethod, Weights

REGRESSIONS = ("ridge", "lasso")
SWEEPS, TOLERANCE = 1000, 1e-10
"""At most so many passes of the lasso over its coefficients, until the largest change is this share of the largest."""


@dataclass(frozen=True, kw_only=True)
class LIME(SuperpixelMethod):
    """The weights of a linear model that imitates the target near the image, in which superpixels are left out.

    Equation 2 of the paper: sum_z pi(z) (S(z) - w_0 - w z)^2 is minimised over copies z with some superpixels left, as
    many as a uniform draw says; pi(z) = exp(-D^2 / width^2), D the cosine distance to the image, 1 - (|z| / K)^0.5.
    The penalty keeps w small: "ridge", penalty |w|^2 beside the weighted mean of squares; "lasso", sum |w|, penalty as
    a share of the least that leaves no superpixel at all.
    """

    name = "lime"
    width: float = param(0.25, "width of the kernel: how near a copy must be to the image to count")
    regression: str = param("ridge", "what keeps the weights small", choices=REGRESSIONS)
    penalty: float = param(0.001, "how small; 0 is least squares")

    def explain(self, pieces: Pieces, score: float) -> Weights:
        """Coefficients and intercept; the fit counts copies as the kernel does."""
        self._check()
        left = _drawn(self.samples, pieces.count, np.random.default_rng(self.seed))
        near = np.exp(-((1 - np.sqrt(left.mean(axis=1))) ** 2) / self.width**2)
        return _regression(
            left.astype(np.float64), pieces.scores(left), near / near.sum(), self.penalty, self.regression
        )

    def _check(self) -> None:
        if self.regression not in REGRESSIONS:
            raise ParameterError(f"no regression {self.regression!r}; there are {', '.join(REGRESSIONS)}")
        if not 0 < self.width < np.inf:
            raise ParameterError(f"width is {self.width}; a kernel's width is more than 0")
        if not 0 <= self.penalty < (1 if self.regression == "lasso" else np.inf):
            raise ParameterError(f"penalty is {self.penalty}; it is 0 or more, and for the lasso less than 1")


def _drawn(samples: int, count: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(samples, count): from 1 to all superpixels, the number uniform, which ones uniform (section 3.3)."""
    left = np.zeros((samples, count), np.bool_)
    for row in left:
        row[rng.permutation(count)[: rng.integers(1, count + 1)]] = True
    return left


def _regression(z: Floats, y: Floats, weights: Floats, penalty: float, kind: str) -> Weights:
    """The linear model y = rest + z values, `weights` adding up to one."""
    centre, mean = weights @ z, float(weights @ y)
    a, b = z - centre, y - mean
    gram, moment = a.T @ (weights[:, None] * a), a.T @ (weights * b)
    solved = _ridge if kind == "ridge" else _lasso
    values = solved(gram, moment, penalty)
    spread = float(weights @ b**2)
    fit = 1 - float(weights @ (b - a @ values) ** 2) / spread if spread > 0 else 1.0
    return Weights(values, mean - float(centre @ values), fit)


def _ridge(gram: Floats, moment: Floats, penalty: float) -> Floats:
    """The least-squares solution of least norm where the penalty is 0 and superpixels cannot be told apart."""
    return np.asarray(np.linalg.lstsq(gram + penalty * np.eye(len(gram)), moment, rcond=None)[0], np.float64)


def _lasso(gram: Floats, moment: Floats, penalty: float) -> Floats:
    """Coordinate descent (Friedman, Hastie and Tibshirani 2010, equation 5) on w' G w / 2 - w' m + t |w|_1."""
    threshold, w = penalty * np.abs(moment).max(), np.zeros_like(moment)
    for _ in range(SWEEPS):
        before = w.copy()
        for k in np.flatnonzero(np.diag(gram) > 0):
            pull = moment[k] - gram[k] @ w + gram[k, k] * w[k]
            w[k] = np.sign(pull) * max(abs(pull) - threshold, 0.0) / gram[k, k]
        if np.abs(w - before).max() <= TOLERANCE * np.abs(w).max():
            break
    return w


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [LIME]
