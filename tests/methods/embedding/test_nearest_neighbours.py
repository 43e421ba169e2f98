"""Nearest neighbours: copies and doubtful labels, queries, sheets, earlier results."""

import crosslens
import numpy as np
import pytest
from crosslens.data.sources.array_source import ArraySource
from crosslens.errors import ParameterError
from crosslens.testing import TinyModel


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
