"""Each objective: its value written slowly from the paper, its cotangents against central differences in float64."""

from dataclasses import dataclass

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import (
    Objective,
    channel,
    direction,
    gram,
    gram_matrix,
    layer,
    logit,
    match,
    neuron,
    norm,
    probability,
    total_variation,
)

RNG = np.random.default_rng(0)


MAPS, TOKENS, VECTORS = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 6, 3)), RNG.normal(size=(2, 7))


IMAGES, LOGITS = RNG.random((2, 3, 4, 5)), RNG.normal(size=(2, 5))


HERE = {"maps": MAPS, "tokens": TOKENS, "vectors": VECTORS, INPUT: IMAGES, OUTPUT: LOGITS}


V = np.array([1.0, -2.0, 0.5])


STYLE = np.einsum("nip,njp->nij", *[RNG.normal(size=(1, 3, 20))] * 2)


def total_variation_slowly(x, beta):
    """Mahendran and Vedaldi 2015: a difference over the edge is none."""
    total = 0.0
    channels, height, width = x.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                right = x[c, i, j + 1] - x[c, i, j] if j + 1 < width else 0.0
                below = x[c, i + 1, j] - x[c, i, j] if i + 1 < height else 0.0
                total += (right**2 + below**2) ** (beta / 2)
    return total


def gram_slowly(a):
    """Equation 3 of Gatys et al.: G_ij = sum_k F_ik F_jk."""
    channels = a.shape[0]
    return np.array([[sum(a[i].ravel() * a[j].ravel()) for j in range(channels)] for i in range(channels)])


def gatys_slowly(a, target):
    """Equation 4: 1 / (4 N^2 M^2) sum_ij (G_ij - A_ij)^2, N channels of M positions."""
    n, m = a.shape[0], a[0].size
    return sum((g - t) ** 2 for g, t in zip(gram_slowly(a).ravel(), target.ravel(), strict=True)) / (4 * n**2 * m**2)


def softmax_slowly(row):
    e = [np.exp(v) for v in row]
    return np.array([v / sum(e) for v in e])


@dataclass
class Case:
    objective: Objective
    expected: object
    """From one image's activations, by layer, to the value; (here, n) to a float."""


CASES = {
    "logit": Case(logit(3), lambda a, n: a[OUTPUT][n, 3]),
    "logit of each": Case(logit([3, 1]), lambda a, n: a[OUTPUT][n, (3, 1)[n]]),
    "logit of the predicted": Case(logit(), lambda a, n: a[OUTPUT][n].max()),
    "probability": Case(probability(2), lambda a, n: softmax_slowly(a[OUTPUT][n])[2]),
    "probability of each": Case(probability([0, 4]), lambda a, n: softmax_slowly(a[OUTPUT][n])[(0, 4)[n]]),
    "channel of maps": Case(channel("maps", 1), lambda a, n: a["maps"][n, 1].mean()),
    "channel of tokens": Case(channel("tokens", 2), lambda a, n: a["tokens"][n, :, 2].mean()),
    "channel of a vector": Case(channel("vectors", 6), lambda a, n: a["vectors"][n, 6]),
    "neuron of maps": Case(neuron("maps", 2, 1, 4), lambda a, n: a["maps"][n, 2, 1, 4]),
    "neuron of tokens": Case(neuron("tokens", 0, 5), lambda a, n: a["tokens"][n, 5, 0]),
    "layer": Case(layer("maps"), lambda a, n: sum(v * v for v in a["maps"][n].ravel())),
    "direction in maps": Case(
        direction("maps", V), lambda a, n: np.mean([V @ a["maps"][n, :, i, j] for i in range(4) for j in range(5)])
    ),
    "direction in tokens": Case(
        direction("tokens", V), lambda a, n: np.mean([V @ a["tokens"][n, t] for t in range(6)])
    ),
    "norm 2": Case(norm(), lambda a, n: sum(v * v for v in a[INPUT][n].ravel())),
    "norm 6": Case(norm(6), lambda a, n: sum(v**6 for v in a[INPUT][n].ravel())),
    "norm 3 of signed maps": Case(norm(3, "maps"), lambda a, n: sum(abs(v) ** 3 for v in a["maps"][n].ravel())),
    "norm 1": Case(norm(1, "maps"), lambda a, n: sum(abs(v) for v in a["maps"][n].ravel())),
    "total variation 2": Case(total_variation(), lambda a, n: total_variation_slowly(a[INPUT][n], 2)),
    "total variation 3": Case(total_variation(3), lambda a, n: total_variation_slowly(a[INPUT][n], 3)),
    "total variation 1": Case(total_variation(1, "maps"), lambda a, n: total_variation_slowly(a["maps"][n], 1)),
    "match": Case(match("maps", MAPS[::-1]), lambda a, n: 0.5 * sum((a["maps"][n] - MAPS[1 - n]).ravel() ** 2)),
    "match one to all": Case(match("maps", MAPS[:1]), lambda a, n: 0.5 * ((a["maps"][n] - MAPS[0]) ** 2).sum()),
    "gram": Case(gram("maps", STYLE), lambda a, n: gatys_slowly(a["maps"][n], STYLE[0])),
    "gram of tokens": Case(gram("tokens", STYLE), lambda a, n: gatys_slowly(a["tokens"][n].T, STYLE[0])),
    "a sum of two layers": Case(
        2 * logit(1) - 0.5 * norm(2, "maps"), lambda a, n: 2 * a[OUTPUT][n, 1] - 0.5 * (a["maps"][n] ** 2).sum()
    ),
    "a sum over one layer": Case(
        logit(1) - logit(2) + 3 * probability(0),
        lambda a, n: a[OUTPUT][n, 1] - a[OUTPUT][n, 2] + 3 * softmax_slowly(a[OUTPUT][n])[0],
    ),
    "a negative": Case(-channel("maps", 0), lambda a, n: -a["maps"][n, 0].mean()),
}


@pytest.mark.parametrize("name", CASES)
def test_the_value_is_the_formula(name):
    case = CASES[name]
    np.testing.assert_allclose(case.objective.value(HERE), [case.expected(HERE, n) for n in range(2)], rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_cotangents_are_the_derivative_of_the_sum_over_the_batch(name):
    objective = CASES[name].objective
    cotangents = objective.cotangents(HERE)
    assert set(cotangents) == set(objective.layers)
    for where, gradient in cotangents.items():
        assert gradient.shape == HERE[where].shape
        for place in np.ndindex(gradient.shape):
            nudge = np.zeros_like(HERE[where])
            nudge[place] = 1e-5
            above = objective.value({**HERE, where: HERE[where] + nudge}).sum()
            below = objective.value({**HERE, where: HERE[where] - nudge}).sum()
            np.testing.assert_allclose(gradient[place], (above - below) / 2e-5, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_any_array_namespace_gives_what_numpy_gives(name):
    objective = CASES[name].objective
    there = {key: strict.asarray(value) for key, value in HERE.items()}
    np.testing.assert_allclose(as_numpy(objective.value(there)), objective.value(HERE), rtol=1e-12)
    for where, gradient in objective.cotangents(there).items():
        np.testing.assert_allclose(as_numpy(gradient), objective.cotangents(HERE)[where], rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_linear_objective_has_the_same_cotangents_everywhere_and_only_a_linear_one_says_so(name):
    objective = CASES[name].objective
    elsewhere = {key: 1.0 + value[::-1] ** 2 for key, value in HERE.items()}
    here, there = objective.cotangents(HERE), objective.cotangents(elsewhere)
    constant = all(np.array_equal(here[key], there[key]) for key in here)
    assert objective.linear == constant


@pytest.mark.parametrize("name", CASES)
def test_selecting_images_selects_their_values(name):
    if name == "match":
        pytest.skip("a match holds one activation per image; see the next test")
    objective = CASES[name].objective
    second = {key: value[1:] for key, value in HERE.items()}
    np.testing.assert_allclose(objective.select(1, 2).value(second), objective.value(HERE)[1:], rtol=1e-12)


def test_a_match_with_one_activation_per_image_splits_with_the_batch():
    objective = match("maps", MAPS[::-1])
    second = {"maps": MAPS[1:]}
    np.testing.assert_allclose(objective.select(1, 2).value(second), objective.value(HERE)[1:])


def test_total_variation_below_two_pulls_nowhere_on_a_flat_spot():
    flat = {INPUT: np.full((1, 3, 4, 4), 0.5)}
    assert not total_variation(1).cotangents(flat)[INPUT].any()


def test_gram_matrices_are_equation_3():
    np.testing.assert_allclose(gram_matrix(MAPS), [gram_slowly(a) for a in MAPS], rtol=1e-12)
    np.testing.assert_allclose(gram_matrix(TOKENS), [gram_slowly(a.T) for a in TOKENS], rtol=1e-12)
