"""Agreement of two explanations of one image: of their values, of how they look, and of what they point at."""

from typing import Any

import numpy as np

from ..alignment.similarity import pearson, relative_l2
from ..errors import ComparisonError

__all__ = ["POINTING_TOLERANCE", "TOP_SHARE", "agreement", "map_agreement"]

Values = np.ndarray[Any, Any]

TOP_SHARE = 0.1
"""Share of a map's positions that count as its top."""
POINTING_TOLERANCE = 15 / 224
"""Largest distance of two maxima that point at the same thing, as a share of the map's side: the pointing game's 15
pixels (Zhang et al. 2018, https://arxiv.org/abs/1608.00507), for images of 224."""


def agreement(a: Values, b: Values) -> dict[str, float]:
    """How far two arrays of values agree, whatever they mean.

    Returns:
        max_relative_difference: max |a - b| / max |a|; relative_l2: |a - b| / |a|; correlation: Pearson's;
        rank_correlation: Spearman's, 1 if both order their values alike. All zeros in both count as equal.

    Raises:
        ComparisonError: the shapes differ.
    """
    _same_shape(a, b)
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return {
        "max_relative_difference": _ratio(float(np.abs(a - b).max()), float(np.abs(a).max())),
        "relative_l2": relative_l2(a, b),
        "correlation": _correlation(a, b),
        "rank_correlation": _rank_correlation(a, b),
    }


def map_agreement(a: Values, b: Values) -> dict[str, float]:
    """How alike two maps (h, w) of one image look, and whether they point at the same position.

    Returns:
        ssim: the mean structural similarity, see `structural_similarity`; top_k: of the tenth of the positions with
        the largest values of `a`, the share that is among that of `b`; pointing: 1 if the largest values stand at the
        same position up to `POINTING_TOLERANCE`, else 0.

    Raises:
        ComparisonError: the shapes differ.
    """
    _same_shape(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    return {"ssim": structural_similarity(a, b), "top_k": _top_in_common(a, b), "pointing": _pointing(a, b)}


def structural_similarity(a: Values, b: Values) -> float:
    """Mean SSIM of two maps (Wang et al. 2004, equation 13), over all positions, borders mirrored.

    Gaussian windows of deviation 1.5; K1 = 0.01 and K2 = 0.03 times the range of both maps' values. 1 for equal maps.
    """
    from scipy.ndimage import gaussian_filter

    span = max(float(a.max()), float(b.max())) - min(float(a.min()), float(b.min()))
    if not span:
        return 1.0
    mean_a, mean_b = gaussian_filter(a, 1.5, truncate=3.5), gaussian_filter(b, 1.5, truncate=3.5)
    variances = gaussian_filter(a * a + b * b, 1.5, truncate=3.5) - mean_a**2 - mean_b**2
    covariance = gaussian_filter(a * b, 1.5, truncate=3.5) - mean_a * mean_b
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    return float(alike.mean())


def _same_shape(a: Values, b: Values) -> None:
    if a.shape != b.shape:
        raise ComparisonError(
            f"values of shape {a.shape} and {b.shape} cannot be compared; were the same layers explained?"
        )


def _ratio(difference: float, scale: float) -> float:
    return 0.0 if difference == 0 else difference / scale if scale else float("inf")


def _rank_correlation(a: Values, b: Values) -> float:
    from scipy.stats import rankdata

    constant = np.ptp(a) == 0 or np.ptp(b) == 0
    return float(np.array_equal(a, b)) if constant else _correlation(rankdata(a), rankdata(b))


def _correlation(a: Values, b: Values) -> float:
    """Pearson's, exactly 1 for equal values."""
    if np.array_equal(a, b):
        return 1.0
    return float(np.clip(pearson(a, b), -1, 1))


def _top_in_common(a: Values, b: Values) -> float:
    count = max(1, round(TOP_SHARE * a.size))
    tops = [set(np.argsort(-v, axis=None, kind="stable")[:count].tolist()) for v in (a, b)]
    return len(tops[0] & tops[1]) / count


def _pointing(a: Values, b: Values) -> float:
    maxima = [np.array(np.unravel_index(v.argmax(), v.shape)) for v in (a, b)]
    return float((np.abs(maxima[0] - maxima[1]) <= POINTING_TOLERANCE * np.array(a.shape)).all())
