"""Layers matched by activations alone, also where a fault has made all that follows different."""

import numpy as np
import pytest
from crosslens.alignment.matcher import match_layers
from crosslens.alignment.model_pair import ModelPair
from crosslens.alignment.similarity import duplicate_layers, nearest_permutation
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
LAYERS = ["conv1", "act1", "conv2", "act2", "pool", "fc"]


def matches(a, b):
    return [(pair.a, pair.b) for pair in match_layers(ModelPair(a, b, X))]


def test_a_network_is_matched_with_itself():
    assert matches(TinyModel(), TinyModel()) == [(name, name) for name in LAYERS]


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_layers_behind_a_fault_are_matched_by_replacing_it(layer):
    """New weights in one layer change every activation after it."""
    broken = TinyModel().randomised([layer], seed=3)
    models = ModelPair(TinyModel(), broken, X)
    behind = LAYERS[LAYERS.index(layer) :]
    assert all(np.corrcoef(models.of_a[n].ravel(), models.of_b[n].ravel())[0, 1] < 0.9999 for n in behind)
    assert matches(TinyModel(), broken) == [(name, name) for name in LAYERS]


def test_two_faults_are_looked_behind_one_after_the_other():
    broken = TinyModel().randomised(["conv1"], seed=3).randomised(["fc"], seed=4)
    assert matches(TinyModel(), broken) == [(name, name) for name in LAYERS]


def test_no_layer_is_matched_twice():
    pairs = matches(TinyModel(), TinyModel(seed=5))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


def test_with_the_reference_put_in_at_a_fault_the_outputs_agree():
    broken = TinyModel().randomised(["conv1"], seed=3)
    models = ModelPair(TinyModel(), broken, X)
    (first, *_) = [pair for pair in match_layers(models) if pair.a == "conv1"]
    np.testing.assert_allclose(models.run_b_from_a([first], ["fc"])["fc"], models.of_a["fc"], rtol=1e-5)
    assert models.output_agreement()[1] > 0.01


def test_duplicates_are_the_later_layers_with_the_same_numbers():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 4, 3, 3))
    layers = {"last": maps, "other": maps + 1, "block": maps.copy(), "flat": maps.reshape(2, -1)}
    assert duplicate_layers(layers) == {"block": "last", "flat": "last"}


@pytest.mark.parametrize("axis", [0, 1])
def test_the_nearest_permutation_is_the_one_that_was_applied(axis):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 6, 3, 3))
    order = [int(n) for n in rng.permutation(6)]
    noisy = values + 1e-3 * rng.normal(size=values.shape)
    assert nearest_permutation(noisy.take(order, axis), values, axis) == order


def test_equal_slices_stay_where_they_are():
    values = np.array([[1.0, 2.0], [5.0, 5.0], [1.0, 2.0], [7.0, 0.0]])
    assert nearest_permutation(values[[0, 3, 2, 1]], values, 0) == [0, 3, 2, 1]


def test_there_is_no_permutation_where_two_slices_have_one_nearest():
    assert nearest_permutation(np.array([[1.0], [1.1]]), np.array([[1.0], [9.0]]), 0) is None
