"""Deep SHAP is the mean of DeepLIFT over references; where Shapley values are known, it has them."""

import itertools
import math

import crosslens
import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.testing import TinyModel

from .perceptron import Perceptron

X = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
BACKGROUND = np.random.default_rng(1).random((7, 3, 8, 8)).astype(np.float32)


def test_it_is_the_mean_of_deep_lift_over_the_background():
    net = TinyModel(relu=True)
    found = crosslens.method("deep_lift_shap", preset="captum", background=BACKGROUND)(net, X, 1)
    single = [crosslens.method("deep_lift", baseline=reference)(net, X, 1) for reference in BACKGROUND]
    np.testing.assert_allclose(found.values, np.mean([each.values for each in single], axis=0), atol=1e-6)
    np.testing.assert_allclose(found.start, np.mean([each.start for each in single], axis=0), atol=1e-6)
    assert not found.notes


def test_more_references_than_samples_are_drawn_once_each_by_the_seed():
    net = TinyModel(relu=True)
    single = [crosslens.method("deep_lift", baseline=reference)(net, X, 1).values for reference in BACKGROUND]
    found = [
        crosslens.method("deep_lift_shap", background=BACKGROUND, samples=3, seed=seed)(net, X, 1).values
        for seed in (0, 0, 1)
    ]
    means = np.array([np.mean(each, axis=0) for each in itertools.combinations(single, 3)])
    for values in found:
        assert abs(means - values).max(axis=(1, 2, 3, 4)).min() < 1e-6
    assert (found[0] == found[1]).all()
    assert abs(found[0] - found[2]).max() > 1e-4


def shapley(f, x, reference):
    """Each input's mean share over all orders, by the definition."""
    count = len(x)
    values = np.zeros(count)
    for order in itertools.permutations(range(count)):
        at, before = reference.astype(float).copy(), f(reference)
        for i in order:
            at[i] = x[i]
            values[i] += f(at) - before
            before = f(at)
    return values / math.factorial(count)


def test_of_a_sum_of_functions_of_single_inputs_it_gives_shapley_values():
    """There the rescale rule is exact, for each reference and so for their mean."""
    net = Perceptron((np.diag([1.0, -2, 3]), [0.5, 0.2, -1]), ([[1, -2, 0.5]], [0.1]))
    x = np.array([0.7, -0.4, 0.9])
    background = np.random.default_rng(2).normal(size=(4, 3))

    def f(v):
        return np.maximum(v * [1, -2, 3] + [0.5, 0.2, -1], 0) @ [1, -2, 0.5] + 0.1

    found = crosslens.method("deep_lift_shap", background=background.reshape(4, 1, 1, 3).astype(np.float32))
    values = found(net, x.reshape(1, 1, 1, 3).astype(np.float32), 0).values
    expected = np.mean([shapley(f, x, each) for each in background], axis=0)
    np.testing.assert_allclose(values.ravel(), expected, atol=1e-6)


def test_a_background_of_made_up_images_is_told():
    found = crosslens.method("deep_lift_shap")(TinyModel(), X)
    text = "the background is made up; give images like those the network was trained on: background="
    assert text in found.notes


def test_a_background_of_another_shape_is_refused():
    with pytest.raises(ParameterError, match=r"the baseline has shape \(3, 4, 4\); it must be one image \(3, 8, 8\)"):
        crosslens.method("deep_lift_shap", background=BACKGROUND[0, :, :4, :4])(TinyModel(), X)
