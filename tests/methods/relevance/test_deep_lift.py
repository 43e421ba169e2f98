"""DeepLIFT against its paper, slowly, published values, and completeness."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import OUTPUT
from crosslens.errors import ModelError, ParameterError
from crosslens.objective import logit, norm, probability
from crosslens.testing import TinyModel
from torch.nn import functional

from .perceptron import Perceptron

X = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
CLASS = 2


def vector(*values):
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


def by_the_rescale_rule(net, image, reference, k):
    """Section 3.5.1 on conv - f - conv - f - mean - dense, in float64: m = w on linear layers, dy / dx elsewhere."""
    weights = {
        n: {key: torch.tensor(v).double() for key, v in net.weights(n).items()} for n in ("conv1", "conv2", "fc")
    }
    both = torch.tensor(np.stack([image, reference])).double()
    f = torch.relu if net.relu else functional.softplus
    z1 = functional.conv2d(both, weights["conv1"]["kernel"], weights["conv1"]["bias"], padding=1)
    z2 = functional.conv2d(f(z1), weights["conv2"]["kernel"], weights["conv2"]["bias"], padding=1)
    m = (weights["fc"]["kernel"][k] / 64)[:, None, None] * torch.ones(6, 8, 8).double()
    for z, kernel in ((z2, "conv2"), (z1, "conv1")):
        m = m * (f(z[0]) - f(z[1])) / (z[0] - z[1])
        m = functional.conv_transpose2d(m[None], weights[kernel]["kernel"], padding=1)[0]
    return (m * (both[0] - both[1])).numpy()


@pytest.mark.parametrize("relu", [False, True])
def test_deep_lift_is_the_rescale_rule(relu):
    net = TinyModel(relu=relu)
    reference = np.random.default_rng(1).random((3, 8, 8)).astype(np.float32)
    found = crosslens.method("deep_lift", baseline=reference)(net, X, CLASS).values
    expected = np.stack([by_the_rescale_rule(net, image, reference, CLASS) for image in X])
    np.testing.assert_allclose(found, expected, atol=2e-5 * abs(expected).max())


@pytest.mark.parametrize("layer", [None, "conv1", "act1", "conv2", "act2", "pool"])
@pytest.mark.parametrize("baseline", ["black", "blurred", ("white", "grey")])
@pytest.mark.parametrize("relu", [False, True])
def test_values_add_up_to_the_difference_from_the_reference(relu, baseline, layer):
    net = TinyModel(relu=relu)
    settings = {"layer": layer} if layer else {}
    found = crosslens.method("deep_lift", baseline=baseline, **settings)(net, X)
    classes = net.forward(X)[OUTPUT].argmax(axis=1)
    from crosslens.method.baselines import baselines

    starts = [
        net.forward(baselines(baseline, X[n : n + 1], net, 0))[OUTPUT][:, k].mean() for n, k in enumerate(classes)
    ]
    difference = net.forward(X)[OUTPUT].max(axis=1) - np.array(starts)
    np.testing.assert_allclose(found.start, difference, atol=1e-6)
    np.testing.assert_allclose(found.values.sum(axis=tuple(range(1, found.values.ndim))), difference, atol=1e-5)
    assert max(map(abs, found.figures()["gap"])) < 1e-5
    assert not found.notes


def test_kundajelabs_published_multipliers():
    """W = [1 2 3 4], b = -1, all inputs 1, then 2: .9 w and .95 w."""
    net = Perceptron(([[1, 2, 3, 4]], [-1]), ([[1]], [0]))
    for value, multiplier in ((1, 0.9), (2, 0.95)):
        found = crosslens.method("deep_lift")(net, vector(*[value] * 4), logit(0)).values
        np.testing.assert_allclose(found.ravel(), multiplier * np.array([1, 2, 3, 4]) * value, rtol=1e-6)


def test_captums_published_values_of_a_rectifier():
    """2 relu(x1) + 2 relu(x2 - 1.5) at 1 and 2: captum's ReLUDeepLiftModel, 2 and 1."""
    net = Perceptron(([[1, 0], [0, 1]], [0, -1.5]), ([[2, 2]], [0]))
    found = crosslens.method("deep_lift", preset="captum")(net, vector(1, 2), 0)
    np.testing.assert_allclose(found.values.ravel(), [2, 1], rtol=1e-6)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 8])
def test_batches_of_any_size_give_the_same(limit):
    whole = crosslens.method("deep_lift", baseline=("black", "white", "grey"))(TinyModel(relu=True), X)
    net = TinyModel(relu=True)
    net.batch_size = limit
    parts = crosslens.method("deep_lift", baseline=("black", "white", "grey"))(net, X)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-7)
    np.testing.assert_allclose(parts.start, whole.start, atol=1e-6)
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)


def test_a_target_of_one_class_for_each_image():
    net = TinyModel()
    found = crosslens.method("deep_lift")(net, X, [0, 3, 4])
    for n, k in enumerate([0, 3, 4]):
        np.testing.assert_allclose(found.values[n], by_the_rescale_rule(net, X[n], 0 * X[n], k), atol=1e-6)


def test_a_target_that_is_no_linear_function_of_a_layer_has_a_gap_and_says_so():
    found = crosslens.method("deep_lift", baseline="white")(TinyModel(relu=True), X, 40 * probability(1))
    gap = found.start - found.values.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.figures()["gap"], gap, atol=1e-5)
    assert abs(gap).max() > 0.01
    assert "relevance is not conserved" in found.notes[0]
    assert "a target that is no linear function of a layer, such as a probability read from logits" in found.notes[0]


def test_any_objective_has_the_gradient_of_images_alone():
    """norm's gradient at the images; references count by the secants alone."""
    net = Perceptron(([[2.0, 0], [0, 1]], [0, 0]), ([[1, 0], [0, 1]], [0, 0]))
    found = crosslens.method("deep_lift")(net, vector(1.5, 4), norm(2, "dense2"))
    z = np.array([3, 4])
    np.testing.assert_allclose(found.values.ravel(), 2 * z * z, rtol=1e-6)


def test_a_backend_without_secants_is_refused():
    class Plain(TinyModel):
        rules_for = frozenset({"relu"})

    with pytest.raises(ModelError, match=r"the tiny backend has no backward rule for slope='secant'; it has rules for"):
        crosslens.method("deep_lift")(Plain(), X)


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ParameterError, match="no baseline 'blak'"):
        crosslens.method("deep_lift", baseline="blak")(TinyModel(), X)


def test_operators_without_a_secant_are_told():
    class Odd(TinyModel):
        def caveats(self):
            return ("old",) if self.rules.slope == "exact" else ("old", "operators Erf have no secant")

    assert crosslens.method("deep_lift")(Odd(), X).notes.count("operators Erf have no secant") == 1
    assert crosslens.method("deep_lift")(Odd(), X).notes.count("old") == 1
