"""The order of alike classes, agreement of two matrices, d' at the edges, and their pictures."""

import numpy as np
import pytest
from crosslens.classes.discrimination import ClassMeans, area_under_curve, d_prime
from crosslens.classes.heat_map import Scale, heat_map, short
from crosslens.classes.likeness import SIMILARITIES, agreement, alike_order
from scipy.stats import pearsonr, spearmanr

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seed", range(5))
def test_classes_of_three_families_stand_family_by_family(seed):
    rng = np.random.default_rng(seed)
    families = rng.permutation(np.repeat([0, 1, 2], 4))
    means = rng.normal(size=(3, 20))[families] + rng.normal(size=(12, 20)) * 0.1
    order = alike_order(SIMILARITIES["cosine"](means))
    assert sorted(order.tolist()) == list(range(12))
    assert np.count_nonzero(np.diff(families[order])) == 2
    assert order.tolist().index(0) < 6


def test_agreement_is_the_correlation_over_pairs_of_known_classes():
    similarity, rates = (RNG.random((6, 6)) for _ in range(2))
    similarity = (similarity + similarity.T) / 2
    known = np.array([True, True, False, True, True, True])
    pairs = [(a, b) for a in range(6) for b in range(a) if known[a] and known[b]]
    x = [similarity[pair] for pair in pairs]
    y = [(rates[a, b] + rates[b, a]) / 2 for a, b in pairs]
    found = agreement(similarity, rates, known)
    assert found["agreement"] == pytest.approx(pearsonr(x, y).statistic)
    assert found["rank_agreement"] == pytest.approx(spearmanr(x, y).statistic)


def test_there_is_no_agreement_with_a_network_that_confuses_nothing():
    assert agreement(RNG.random((5, 5)), np.eye(5), np.ones(5, bool)) == {}


def test_d_prime_without_any_variation_is_zero_or_infinite():
    zero = np.zeros(3)
    assert d_prime(np.array([1.0, 2, 3]), zero, np.full(3, 2.0), zero).tolist() == [-np.inf, 0, np.inf]


def test_the_rest_of_each_class_is_all_other_images():
    counts, values = [3, 5, 2], [RNG.normal(size=(n, 4)) for n in (3, 5, 2)]
    every = ClassMeans(np.array(counts), *(np.stack([f(v, axis=0) for v in values]) for f in (np.mean, np.var)))
    others = [np.concatenate([v for m, v in enumerate(values) if m != n]) for n in range(3)]
    rest = every.rest()
    np.testing.assert_allclose(rest.means, [each.mean(axis=0) for each in others], rtol=1e-12)
    np.testing.assert_allclose(rest.variances, [each.var(axis=0) for each in others], rtol=1e-10)
    assert rest.counts.tolist() == [7, 5, 8]


def test_what_is_constant_within_all_classes_has_no_variance_of_rounding():
    means = np.array([[0.1], [0.7], [0.7]])
    rest = ClassMeans(np.array([7, 11, 13]), means, np.zeros((3, 1))).rest()
    assert rest.variances[0, 0] == 0


def test_the_area_counts_ties_half():
    first, second = np.array([[1.0], [2], [2]]), np.array([[2.0], [0], [3], [2]])
    wins = [(a > b) + (a == b) / 2 for a in first[:, 0] for b in second[:, 0]]
    assert area_under_curve(first, second)[0] == pytest.approx(np.mean(wins), rel=1e-15)


def test_a_matrix_is_drawn_with_its_numbers_colours_in_their_places():
    values = np.array([[9.0, 0.5, -0.5], [0.5, 9, 0], [-0.5, 0, 9]])
    scale = Scale.of(values, signed=True)
    picture = heat_map(values, ["a", "b", "c"], "title", scale)
    red, blue = scale.colours(np.array([[0.5, -0.5]]))[0]
    places = [np.argwhere((picture == colour).all(axis=2)) for colour in (red, blue)]
    strip = max(each[:, 0].max() for each in places)  # the scale below has all colours too
    first, second = (each[each[:, 0] < strip - 40] for each in places)
    assert len(first) > 1000
    assert len(second) > 1000
    for axis in (0, 1):
        assert first[:, axis].max() < second[:, axis].max()
        assert first[:, axis].min() == second[:, axis].min()


@pytest.mark.parametrize("count", [2, 10, 100, 300])
def test_pictures_of_many_classes_stay_of_a_size_to_look_at(count):
    values = RNG.random((count, count))
    picture = heat_map(values, [f"class {n}" for n in range(count)], "title", Scale.of(values, signed=False))
    assert max(picture.shape) < 1000


def test_short_numbers_have_two_digits():
    assert [short(x) for x in (0.0, 1.0, -0.5, 0.996, 12.7, -1e-5, 4e-4)] == ["0", "1", "-.5", "1", "13", "0", ".0004"]
