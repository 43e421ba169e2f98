"""Nearest neighbours: against scikit-learn and plain differences, near-duplicates, ties, doubtful labels."""

import crosslens
import numpy as np
import pytest
from crosslens.data.sources.array_source import ArraySource
from crosslens.errors import ParameterError
from crosslens.methods.embedding._exact_neighbours import exact_neighbours
from crosslens.testing import TinyModel


def brute(rows, count, metric):
    rows = np.float64(rows)
    if metric == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    squared = np.array([[np.sum((a - b) ** 2) for b in rows] for a in rows])
    distances = squared / 2 if metric == "cosine" else np.sqrt(squared)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize("metric", ["cosine", "euclid"])
def test_neighbours_equal_brute_force_also_where_float32_cancels(metric, monkeypatch):
    monkeypatch.setattr("crosslens.methods.embedding._exact_neighbours.NUMBERS", 200)  # several blocks
    rows = np.random.default_rng(0).normal(1000, 1, (40, 7)).astype(np.float32)
    rows[20:30] = rows[:10] + np.float32(1e-3) * np.arange(1, 11, dtype=np.float32)[:, None]
    rows[35:] = rows[5]
    places, distances = exact_neighbours(rows, 6, metric)
    expected, lengths = brute(rows, 6, metric)
    assert distances == pytest.approx(lengths, rel=1e-6, abs=1e-15)
    if metric == "euclid":
        assert places.tolist() == expected.tolist()


def test_equal_distances_come_in_the_order_of_the_source():
    places, distances = exact_neighbours(np.ones((5, 3), np.float32), 3, "euclid")
    assert places.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert not distances.any()


def test_a_row_of_zeros_is_at_cosine_distance_one_from_others_and_zero_from_its_like():
    places, distances = exact_neighbours(np.float32([[0, 0], [1, 0], [0, 0]]), 2, "cosine")
    assert places[0].tolist() == [2, 1]
    assert distances[0].tolist() == [0, 1]


def clusters(labels=None):
    """Twelve images of two kinds, the last of each kind planted: a wrong label, a copy."""
    shape = TinyModel().input.example_shape[1:]
    rng = np.random.default_rng(0)
    left = np.tile(np.arange(shape[-1]) < shape[-1] // 2, (*shape[:-1], 1))
    images = [np.where(left == (n < 6), 0.9, 0.1) + rng.uniform(0, 0.01, shape) for n in range(12)]
    images[11] = images[10]
    return ArraySource(np.float32(images), labels or ["a"] * 5 + ["b"] + ["b"] * 6)


def found(**parameters):
    method = crosslens.method("nearest_neighbours", layer="<input>", pooling="flatten", count=4, **parameters)
    return method(TinyModel(), clusters())


def test_a_planted_wrong_label_is_suspect_and_no_other():
    columns = found().columns
    assert np.flatnonzero(columns["suspect"]).tolist() == [5]
    assert columns["suggested"][5] == "a"
    assert columns["agreeing"][5] == 0


def test_a_copy_is_listed_by_distance_and_by_pixels():
    columns = found(duplicate=1e-12).columns
    assert columns["duplicate_of"].tolist() == [-1] * 10 + [11, 10]
    assert columns["same_pixels_as"].tolist() == [-1] * 10 + [11, 10]


def test_more_neighbours_than_other_images_are_refused():
    with pytest.raises(ParameterError, match="at most 11"):
        crosslens.method("nearest_neighbours", count=12)(TinyModel(), clusters())


def test_where_some_images_have_no_label_the_others_are_judged_and_counted():
    source = clusters(["a"] * 5 + ["b"] + ["b"] * 5 + [""])
    result = crosslens.method("nearest_neighbours", layer="<input>", count=4)(TinyModel(), source)
    assert np.flatnonzero(result["suspect"]).tolist() == [5]
    assert any(note.startswith("1 labels are suspect") for note in result.notes)
    assert any(note.startswith("1 images have no label") for note in result.notes)
