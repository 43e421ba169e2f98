"""The interval over clusters: closed forms at both ends of the correlation, and how often it holds the truth."""

import numpy as np
import pytest
from crosslens.attack.cluster_interval import cluster_interval
from crosslens.errors import ParameterError
from scipy.optimize import brentq
from scipy.stats import t


@pytest.mark.parametrize("n", [2, 5, 30])
def test_where_every_trial_is_a_hit_it_is_that_of_so_many_pictures(n):
    """All hits are likeliest under full correlation, where the likelihood is p^n."""
    low, high = cluster_interval([50] * n, [50] * n)
    assert low == pytest.approx(np.exp(-(t.ppf(0.975, n - 1) ** 2) / 2 / n), rel=2e-3)
    assert high == 1
    assert cluster_interval([0] * n, [50] * n) == pytest.approx((0, 1 - low), rel=1e-6)


@pytest.mark.parametrize("hits", [3, 10, 28])
def test_with_one_trial_a_cluster_it_is_the_likelihood_interval_of_a_binomial(hits):
    n = 30

    def excess(p):
        best = hits * np.log(hits / n) + (n - hits) * np.log(1 - hits / n)
        return best - hits * np.log(p) - (n - hits) * np.log(1 - p) - t.ppf(0.975, n - 1) ** 2 / 2

    expected = brentq(excess, 1e-9, hits / n), brentq(excess, hits / n, 1 - 1e-9)
    assert cluster_interval([1] * hits + [0] * (n - hits), [1] * n) == pytest.approx(expected, rel=1e-4)


def test_it_holds_the_true_rate_as_often_as_it_says_whatever_the_correlation():
    rng, held = np.random.default_rng(0), []
    for rate in (0.5, 0.98):
        for correlation in (0.02, 0.3, 0.8):
            a, b = (each * (1 - correlation) / correlation for each in (rate, 1 - rate))
            for _ in range(60):
                low, high = cluster_interval(rng.binomial(50, rng.beta(a, b, 20)), [50] * 20)
                held.append(low <= rate <= high)
    assert np.mean(held) > 0.93


def test_more_placements_of_the_same_pictures_do_not_narrow_it_where_pictures_decide():
    few = cluster_interval([5, 5, 5, 5, 5, 5, 0, 0], [5] * 8)
    many = cluster_interval([50, 50, 50, 50, 50, 50, 0, 0], [50] * 8)
    assert many == pytest.approx(few, abs=0.01)


def test_clusters_without_trials_count_for_nothing_and_one_alone_says_nothing():
    assert cluster_interval([3, 0, 1], [4, 0, 4]) == cluster_interval([3, 1], [4, 4])
    assert cluster_interval([50], [50]) == (0, 1)
    with pytest.raises(ParameterError, match="at least one trial"):
        cluster_interval([0], [0])
