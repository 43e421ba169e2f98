"""Exact neighbours: against plain differences and scikit-learn; ties, zeros, blocks, clusters, copies."""

import numpy as np
import pytest
from crosslens.neighbours import exact
from crosslens.neighbours.exact import exact_neighbours
from crosslens.neighbours.space import Space

METRICS = ["cosine", "euclid"]


def brute(rows, count, metric):
    """In float64, one pair at a time."""
    rows = np.float64(rows)
    if metric == "cosine":
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.concatenate([rows / np.where(lengths == 0, 1, lengths), lengths == 0], axis=1)
    squared = np.array([[np.sum((a - b) ** 2) for b in rows] for a in rows])
    distances = squared / 2 if metric == "cosine" else np.sqrt(squared)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, 1)


def found(rows, count, metric):
    return exact_neighbours(Space(rows, np.arange(len(rows)), metric), count)


@pytest.fixture
def small_blocks(monkeypatch):
    for name, value in {"ASKED": 17, "COLUMNS": 32, "GROUPS": 8, "PREPARED": 500}.items():
        monkeypatch.setattr(exact, name, value)


def rows_of(kind):
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (120, 7)).astype(np.float32)
    if kind == "far from zero":
        rows = (rows + 1000).astype(np.float32)
        rows[20:30] = rows[:10] + np.float32(1e-3) * np.arange(1, 11, dtype=np.float32)[:, None]
    if kind == "copies and zeros":
        rows[::3], rows[1::4] = 0, rows[1]
    if kind == "whole numbers":
        rows = rows.round()
    return rows * np.float32({"tiny": 1e-25, "huge": 1e25}.get(kind, 1))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["plain", "far from zero", "copies and zeros", "whole numbers", "tiny", "huge"])
def test_neighbours_equal_brute_force(kind, metric, small_blocks):
    rows = rows_of(kind)
    for count in (1, 6, 100):
        places, distances = found(rows, count, metric)
        expected, lengths = brute(rows, count, metric)
        assert distances == pytest.approx(lengths, rel=1e-6, abs=1e-15)
        if metric == "euclid":
            assert places.tolist() == expected.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_equal_scikit_learns(metric):
    neighbors = pytest.importorskip("sklearn.neighbors")
    rows = np.random.default_rng(1).normal(size=(500, 24)).astype(np.float32)
    there = neighbors.NearestNeighbors(n_neighbors=8, metric=metric.replace("euclid", "euclidean"), algorithm="brute")
    lengths, places = there.fit(rows.astype(np.float64)).kneighbors()
    ours, distances = found(rows, 8, metric)
    assert ours.tolist() == places.tolist()
    assert distances == pytest.approx(lengths, abs=1e-7)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_distances_come_in_the_order_of_the_source(metric):
    places, distances = found(np.ones((5, 3), np.float32), 3, metric)
    assert places.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert not distances.any()


def test_a_row_of_zeros_is_at_cosine_distance_one_from_others_and_zero_from_its_like():
    places, distances = found(np.float32([[0, 0], [1, 0], [0, 0]]), 2, "cosine")
    assert places[0].tolist() == [2, 1]
    assert distances[0].tolist() == [0, 1]


def test_a_pair_has_the_same_bits_in_both_orders(small_blocks):
    places, distances = found(rows_of("plain"), 119, "cosine")
    whole = np.zeros((120, 120))
    np.put_along_axis(whole, places, distances, 1)
    assert (whole == whole.T).all()


def test_rows_that_were_not_read_are_no_neighbours_and_others_may_be_asked_for():
    rows = rows_of("plain")
    index = np.flatnonzero(np.arange(120) % 3)
    rows[::3] = np.nan
    places, _ = exact_neighbours(
        Space(rows, index, "euclid"), 1, Space(rows[index] + np.float32(1e-6), index * 0 + np.arange(80), "euclid")
    )
    assert places[:, 0].tolist() == list(range(80))


def test_the_first_row_without_numbers_is_found():
    rows = rows_of("plain")
    rows[70, 2] = np.inf
    assert Space(rows, np.arange(10, 120), "cosine").first_without_numbers() == 60
    assert Space(rows, np.arange(71, 120), "cosine").first_without_numbers() is None
