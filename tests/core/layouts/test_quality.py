"""Trustworthiness and neighbourhood hit, against their papers' equations written slowly."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.layouts import neighbourhood_hit, trustworthiness

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(70, 6)).astype(np.float32)
POINTS = (ROWS[:, :2] + 0.3 * RNG.normal(size=(70, 2))).astype(np.float32)


def order(values, i):
    """The others, nearest first."""
    return [j for j in np.argsort([np.linalg.norm(values[i] - each) for each in values], kind="stable") if j != i]


def trustworthiness_from_the_paper(rows, points, k):
    """Venna and Kaski (2001): of the k nearest of i in the layout, by how much their rank among the rows exceeds k."""
    total, n = 0, len(rows)
    for i in range(n):
        rank = {j: place for place, j in enumerate(order(rows, i), start=1)}
        near = order(rows, i)[:k]
        total += sum(rank[j] - k for j in order(points, i)[:k] if j not in near)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total


@pytest.mark.parametrize("k", [3, 5, 12])
def test_trustworthiness_is_the_paper_s_equation(k):
    expected = trustworthiness_from_the_paper(ROWS, POINTS, k)
    assert float(trustworthiness(ROWS, POINTS, neighbours=k)) == pytest.approx(expected, abs=1e-9)


def test_above_the_limit_each_point_of_the_sample_is_ranked_among_all():
    """The sample is larger than the set, so it is the whole set, by the other way."""
    expected = trustworthiness_from_the_paper(ROWS, POINTS, 5)
    assert float(trustworthiness(ROWS, POINTS, most=10)) == pytest.approx(expected, abs=1e-9)


def test_trustworthiness_is_scikit_learns_in_both_metrics():
    from sklearn.manifold import trustworthiness as expected

    for metric in ("euclidean", "cosine"):
        got = trustworthiness(ROWS + 1, POINTS, metric=metric)
        assert float(got) == pytest.approx(expected(ROWS + 1, POINTS, n_neighbors=5, metric=metric), abs=1e-9)
    rows = np.random.default_rng(5).normal(size=(1500, 40)).astype(np.float32)
    assert float(trustworthiness(rows, rows[:, :2])) == pytest.approx(expected(np.float64(rows), rows[:, :2]), abs=1e-9)
    with pytest.raises(ParameterError, match="metric is 'manhattan'; trustworthiness takes euclidean or cosine"):
        trustworthiness(ROWS, POINTS, metric="manhattan")


@pytest.mark.parametrize("most", [10, 5_000])
@pytest.mark.parametrize("power", [-100, 0, 100])
def test_equal_rows_have_one_rank_so_that_a_layout_with_them_together_is_fully_trusted(most, power):
    rows, places = np.repeat(ROWS[:8], 9, axis=0), np.repeat(POINTS[:8], 9, axis=0)
    assert float(trustworthiness(np.ldexp(rows, power), places, most=most)) == 1
    assert float(trustworthiness(np.full((30, 5), 0.1), np.zeros((30, 2)), most=most)) == 1
    assert float(trustworthiness(rows, places[np.random.default_rng(0).permutation(72)], most=most)) < 0.9


def test_a_sample_says_that_it_is_one():
    rows = RNG.normal(size=(2100, 2))
    estimate = trustworthiness(rows, rows, most=100)
    assert str(estimate) == "1.000 (2,000 of 2,100 points, each ranked among all)"
    assert str(trustworthiness(ROWS, ROWS)) == "1.000"


def test_points_that_are_nan_are_left_out_of_trustworthiness():
    points = np.insert(POINTS, 7, np.nan, axis=0)
    rows = np.insert(ROWS, 7, 0, axis=0)
    assert trustworthiness(rows, points) == trustworthiness(ROWS, POINTS)
    assert trustworthiness(ROWS[:3], POINTS[:3]) is None
    with pytest.raises(ParameterError, match="there are 3 rows and 70 points"):
        trustworthiness(ROWS[:3], POINTS)


def test_the_hit_is_the_share_of_near_points_with_the_same_label():
    labels = RNG.integers(0, 3, 70)
    expected = np.mean([np.mean([labels[j] == labels[i] for j in order(POINTS, i)[:6]]) for i in range(70)])
    assert neighbourhood_hit(POINTS, labels) == pytest.approx(expected)
    assert neighbourhood_hit(POINTS, [f"class {label}" for label in labels]) == pytest.approx(expected)


def test_points_without_a_label_are_no_neighbours():
    labels = [*(["a"] * 35), *([None] * 35)]
    assert neighbourhood_hit(POINTS, labels) == 1
    assert neighbourhood_hit(POINTS[:1], ["a"]) is None
    with pytest.raises(ParameterError, match="70 points and 1 labels"):
        neighbourhood_hit(POINTS, ["a"])


def test_points_in_one_place_are_not_their_own_neighbours():
    points = np.zeros((9, 2))
    assert neighbourhood_hit(points, [*"aaaaaaaab"], neighbours=8) == pytest.approx((8 * 7 / 8) / 9)
