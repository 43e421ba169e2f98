"""How well a number tells two classes apart: d', the area under the ROC curve, signal-to-noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array

__all__ = ["ClassMeans", "area_under_curve", "d_prime"]

Numbers = np.ndarray[Any, Any]
NEGLIGIBLE = 1e-12
"""A scatter below this share of that of all images is rounding."""


def d_prime(mean: Numbers, variance: Numbers, other_mean: Numbers, other_variance: Numbers) -> Numbers:
    """The difference of means over the root of the mean of both variances (Green and Swets, 1966).

    Where neither varies it is 0 for equal means, and infinite for others.

    Args:
        mean: of the one class, of any shape.
        variance: of the same shape.
        other_mean: of the other class.
        other_variance: of the other class.
    """
    difference = np.asarray(mean - other_mean, np.float64)
    pooled = np.sqrt((variance + other_variance) / 2)
    without = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    return np.divide(difference, pooled, out=without, where=pooled > 0)


def area_under_curve(values: Numbers, others: Numbers) -> Numbers:
    """The chance that one of `values` (n, K) is above one of `others` (m, K), for each column; equal ones count half.

    It is the area under the ROC curve, from ranks (Mann and Whitney, 1947): exact.
    """
    from scipy.stats import rankdata

    count = len(values)
    ranks = rankdata(np.concatenate([values, others]), axis=0)[:count].sum(axis=0)
    return np.asarray((ranks - count * (count + 1) / 2) / (count * len(others)))


@dataclass(frozen=True)
class ClassMeans:
    """Of each of C classes the images, and the mean and the variance of K features."""

    counts: Array
    """(C,), at least 1 each."""
    means: Array
    """(C, K), float64."""
    variances: Array
    """(C, K), float64, divided by the number of images."""

    @property
    def _totals(self) -> tuple[Numbers, Numbers, Numbers]:
        """Mean (K,) of all images, scatter between classes (K,), scatter within them (K,)."""
        counts = np.asarray(self.counts, np.float64)[:, None]
        mean = (counts * self.means).sum(axis=0) / counts.sum()
        between = (counts * np.square(self.means - mean)).sum(axis=0)
        return mean, between, np.asarray((counts * self.variances).sum(axis=0))

    def signal_to_noise(self) -> Numbers:
        """Of each feature, (K,): the scatter of the classes' means over that of images round them; F without degrees.

        0 for a feature that is constant, infinite for one that is constant within each class only.
        """
        _, between, within = self._totals
        return self._ratio(between, within)

    def total_signal_to_noise(self) -> float:
        """The same of all features together: the traces of both scatter matrices."""
        _, between, within = self._totals
        return float(self._ratio(between.sum(), within.sum()))

    def _ratio(self, between: Numbers, within: Numbers) -> Numbers:
        between, within = np.asarray(between, np.float64), np.asarray(within, np.float64)
        return np.asarray(np.divide(between, within, out=np.where(between > 0, np.inf, 0.0), where=within > 0))

    def rest(self) -> "ClassMeans":
        """For each class all the others together, as one."""
        counts = np.asarray(self.counts, np.float64)[:, None]
        every = counts.sum()
        mean, between, within = self._totals
        left = every - counts
        means = (every * mean - counts * self.means) / left
        apart = counts * left / every * np.square(self.means - means)
        scatter = between + within - counts * self.variances - apart
        scatter = np.where(scatter > NEGLIGIBLE * (between + within), scatter, 0.0)
        return ClassMeans(np.asarray(left[:, 0], np.int64), means, scatter / left)

    def against_rest(self) -> Numbers:
        """d' of each class and feature against all images of the other classes, (C, K)."""
        others = self.rest()
        return d_prime(self.means, self.variances, others.means, others.variances)
