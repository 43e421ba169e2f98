"""RevealCancel against section 3.5.2 of the DeepLIFT paper, one weight at a time."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.testing import TinyModel

from .perceptron import Perceptron

RNG = np.random.default_rng(3)
LAYERS = [(RNG.normal(size=(6, 4)), RNG.normal(size=6)), (RNG.normal(size=(5, 6)), RNG.normal(size=5))]
HEAD = (RNG.normal(size=(2, 5)), [0.3, -0.1])
X, REFERENCE = RNG.normal(size=(3, 4)), RNG.normal(size=4)


def method(reference=REFERENCE, **settings):
    baseline = np.asarray(reference, np.float32).reshape(1, 1, -1)
    return crosslens.method("deep_lift", rule="reveal_cancel", baseline=baseline, **settings)


def images(values):
    return np.asarray(values, np.float32).reshape(len(values), 1, 1, -1)


def relu(z):
    return max(z, 0.0)


def by_the_paper(layers, head, k, x, reference):
    """The linear rule (3.5.1) and RevealCancel, loops over units, from the top down."""
    ways, before = [], (x, reference)
    for kernel, bias in layers:
        ways.append((kernel, bias, *before))
        before = [np.maximum(kernel @ a + bias, 0) for a in before]
    m = np.array(head[0][k], float)
    for kernel, bias, a, a0 in reversed(ways):
        below = np.zeros(len(a))
        for j, w in enumerate(kernel):
            z0, change = w @ a0 + bias[j], w * (a - a0)
            p, n = change[change > 0].sum(), change[change < 0].sum()
            up = (relu(z0 + p) - relu(z0) + relu(z0 + n + p) - relu(z0 + n)) / 2
            down = (relu(z0 + n) - relu(z0) + relu(z0 + p + n) - relu(z0 + p)) / 2
            for i in range(len(a)):
                if change[i]:
                    below[i] += m[j] * w[i] * (up / p if change[i] > 0 else down / n)
                else:
                    below[i] += m[j] * w[i] * ((up / p if p else 0) + (down / n if n else 0)) / 2
        m = below
    return m * (x - reference)


@pytest.mark.parametrize("merged", [False, True])
def test_it_is_the_papers_rule(merged):
    net = Perceptron(*LAYERS, HEAD, merged=merged)
    found = method()(net, images(X), 1)
    expected = [by_the_paper(LAYERS, HEAD, 1, x, REFERENCE) for x in X]
    np.testing.assert_allclose(found.values.reshape(3, 4), expected, atol=1e-5)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), found.start, atol=1e-5)
    assert found.notes == ("reveal_cancel at 'dense1', 'dense2'; rescale behind 'dense3'",)
    rescaled = crosslens.method("deep_lift", baseline=REFERENCE.astype(np.float32).reshape(1, 1, 4))(net, images(X), 1)
    assert abs(found.values - rescaled.values).max() > 0.01


@pytest.mark.parametrize("x", [(0.5, 0.2), (0.3, 0.9)])
def test_the_least_of_two_inputs_is_shared_by_both(x):
    """Section 3.5.2: of o = min(i1, i2) = i1 - relu(i1 - i2), rescale gives one input all, RevealCancel each half."""
    net = Perceptron(([[1, 0], [1, -1]], [0, 0]), ([[1, -1]], [0]))
    np.testing.assert_allclose(method((0, 0))(net, images([x]), 0).values.ravel(), [min(x) / 2] * 2, rtol=1e-6)


def test_an_input_that_does_not_differ_passes_the_mean_of_both_multipliers_on():
    """Its value is 0; its multiplier counts below."""
    reference = np.array([0.2, X[0][1], -0.4, X[0][3]])
    found = method(reference)(Perceptron(*LAYERS, HEAD), images(X[:1]), 0)
    np.testing.assert_allclose(found.values.ravel(), by_the_paper(LAYERS, HEAD, 0, X[0], reference), atol=1e-5)
    same = method(X[0])(Perceptron(*LAYERS, HEAD), images(X[:1]), 0)
    assert not same.values.any()


def test_at_a_layer_only_what_lies_behind_it_has_the_rule():
    net = Perceptron(*LAYERS, HEAD)
    found = method(layer="act1")(net, images(X), 1)
    a, a0 = (np.maximum(LAYERS[0][0] @ v + LAYERS[0][1], 0) for v in (X[1], REFERENCE))
    np.testing.assert_allclose(found.values[1], by_the_paper(LAYERS[1:], HEAD, 1, a, a0), atol=1e-5)
    assert found.notes == ("reveal_cancel at 'dense2'; rescale behind 'dense1', 'dense3'",)


def test_a_network_with_another_way_around_its_dense_layers_is_refused():
    text = (
        "no dense layer between the image and the target has a rectifier behind it and all of the target through it, "
        "so rule='reveal_cancel' has nothing to work on; rule='rescale' takes any network"
    )
    for net, shape in ((Perceptron(*LAYERS, HEAD, bypass=True), (1, 1, 1, 4)), (TinyModel(relu=True), (1, 3, 8, 8))):
        with pytest.raises(LayerError) as error:
            crosslens.method("deep_lift", rule="reveal_cancel")(net, np.full(shape, 0.5, np.float32), 0)
        assert str(error.value) == text
