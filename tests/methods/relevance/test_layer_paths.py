"""Conductance and internal influence against their papers' integrals, by finite differences, and captum's sums."""

from itertools import pairwise

import crosslens
import numpy as np
import pytest
from crosslens import OUTPUT
from crosslens.errors import ParameterError
from crosslens.introspection import default_layer
from crosslens.method.baselines import baselines
from crosslens.objective import logit
from crosslens.testing import TinyModel

from .perceptron import Perceptron

X = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
NET = TinyModel()
CLASS = 2
FINE = 400


def at(share, image, layer, net=NET):
    """The layer's values and the logit's gradient there, at a share of the way from black."""
    x = (share * image[None]).astype(np.float32)
    seed = np.zeros((1, 5), np.float32)
    seed[:, CLASS] = 1
    pull = net.vjp(x, {OUTPUT: seed}, wrt=[layer], capture=[layer])
    return pull.activations[layer][0].astype(float), pull.gradients[layer][0].astype(float)


def conductance(image, layer):
    """Equation 3: integral of dS/dy dy/da da, dy/da by central differences, the integral by midpoints."""
    total = 0.0
    for a in (np.arange(FINE) + 0.5) / FINE:
        ahead, behind = at(a + 0.005, image, layer)[0], at(a - 0.005, image, layer)[0]
        total = total + at(a, image, layer)[1] * (ahead - behind) / 0.01 / FINE
    return total


@pytest.mark.parametrize("layer", ["conv1", "act2", "pool"])
def test_conductance_is_equation_3(layer):
    found = crosslens.method("layer_conductance", layer=layer)(NET, X, CLASS).values
    expected = np.stack([conductance(image, layer) for image in X])
    np.testing.assert_allclose(found, expected, atol=2e-3 * abs(expected).max())


@pytest.mark.parametrize("baseline", ["black", "blurred", ("white", "grey")])
@pytest.mark.parametrize("layer", ["conv1", "act1", "conv2", "act2", "pool"])
def test_conductance_adds_up_to_the_difference_from_the_baseline(layer, baseline):
    found = crosslens.method("layer_conductance", layer=layer, baseline=baseline, steps=60)(NET, X)
    for n, image in enumerate(X):
        logits = NET.forward(image[None])[OUTPUT][0]
        k = logits.argmax()
        before = NET.forward(baselines(baseline, image[None], NET, 0))[OUTPUT][:, k].mean()
        assert abs(found.values[n].sum() - (logits[k] - before)) < 1e-3 * abs(logits[k] - before)
        np.testing.assert_allclose(found.gap[n], found.values[n].sum() - (logits[k] - before), atol=1e-5)
    assert not found.notes


def test_conductance_of_a_unit_that_the_image_does_not_move_is_zero_and_of_a_linear_path_exact():
    """Of relu(x1) + 2 relu(-x2) from 0 to (1, 1): unit 1 carries all, as section 3 asks."""
    net = Perceptron(([[1, 0], [0, -1]], [0, 0]), ([[1, 2]], [0]))
    x = np.ones((1, 1, 1, 2), np.float32)
    found = crosslens.method("layer_conductance", layer="act1", steps=4, rule="right")(net, x, 0)
    np.testing.assert_allclose(found.values, [[1, 0]], atol=1e-6)


def test_few_steps_through_a_rectifier_that_opens_late_are_told():
    net = Perceptron(([[1.0, 1]], [-0.75 * 2]), ([[4]], [0]))
    x = np.ones((1, 1, 1, 2), np.float32)
    found = crosslens.method("layer_conductance", layer="dense1", steps=1, rule="left")(net, x, 0)
    text = "the values of 1 of 1 images miss the score's difference from the baseline by more than 5% (at most by 2): "
    more = "raise steps, now 1, or name a layer that all of the target goes through"
    assert found.notes[0] == text + more


def legendre(count):
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2


def captums_conductance(image, layer):
    """Its LayerConductance: 51 points, gradients at the first 50 times the differences between neighbours."""
    values = [at(share, image, layer) for share in legendre(51)[0]]
    return sum(dy * (after - y) for (y, dy), (after, _) in pairwise(values))


@pytest.mark.parametrize("layer", ["conv2", "pool"])
def test_captums_presets_are_its_sums(layer):
    found = crosslens.method("layer_conductance", preset="captum", layer=layer)(NET, X, CLASS).values
    expected = np.stack([captums_conductance(image, layer) for image in X])
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())
    found = crosslens.method("internal_influence", preset="captum", layer=layer)(NET, X, CLASS).values
    sums = [sum(w * at(a, image, layer)[1] for a, w in zip(*legendre(50), strict=True)) for image in X]
    np.testing.assert_allclose(found, np.stack(sums), atol=1e-5 * abs(np.stack(sums)).max())


@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid", "middle"])
@pytest.mark.parametrize("layer", ["act1", "conv2"])
def test_internal_influence_is_definition_1(layer, rule):
    found = crosslens.method("internal_influence", layer=layer, rule=rule)(NET, X, CLASS).values
    shares = (np.arange(FINE) + 0.5) / FINE
    expected = np.stack([np.mean([at(a, image, layer)[1] for a in shares], axis=0) for image in X])
    np.testing.assert_allclose(found, expected, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize("name", ["layer_conductance", "internal_influence"])
def test_several_baselines_are_averaged_in_batches_of_any_size(name):
    both = crosslens.method(name, layer="conv2", baseline=("black", "white"), steps=7)(NET, X, CLASS).values
    each = [
        crosslens.method(name, layer="conv2", baseline=b, steps=7)(NET, X, CLASS).values for b in ("black", "white")
    ]
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-6)
    net = TinyModel()
    net.batch_size = 3
    again = crosslens.method(name, layer="conv2", baseline=("black", "white"), steps=7)(net, X, CLASS).values
    np.testing.assert_allclose(both, again, atol=1e-6)


@pytest.mark.parametrize("name", ["layer_conductance", "internal_influence"])
def test_the_default_is_the_layer_of_grad_cam(name):
    found = crosslens.method(name, steps=2)(NET, X, CLASS)
    assert found.provenance["layers"] == [default_layer(NET, logit(CLASS), X)]


def test_a_rule_with_too_few_steps_is_refused():
    with pytest.raises(ParameterError, match="steps is 1; the rule 'trapezoid' needs at least 2"):
        crosslens.method("internal_influence", rule="trapezoid", steps=1)(NET, X)
