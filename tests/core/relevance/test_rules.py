"""Each rule's table, run by its equation, against the rule written slowly from its paper."""

from functools import cache

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.relevance import (
    RULES,
    AlphaBeta,
    Box,
    Epsilon,
    ExcitationBackprop,
    Flat,
    Gamma,
    LinearMap,
    WSquare,
    ZPlus,
)
from crosslens.testing import TinyModel
from crosslens.testing.tables import pulled_back
from crosslens.testing.tiny import _conv, _transposed_conv

from . import slow_rules

NUMBERS = np.random.default_rng(0)
SIZE = 4
LOW, HIGH = (-0.5, -2.0, 0.0, -1.0), (1.5, 2.5, 1.0, 3.0)
STABILISER = 0.05
CASES = {
    "epsilon": (Epsilon(STABILISER), slow_rules.epsilon, {}),
    "z_plus": (ZPlus(STABILISER), slow_rules.z_plus, {}),
    "alpha_beta": (AlphaBeta(STABILISER), slow_rules.alpha_beta, {}),
    "alpha 3, beta 2": (AlphaBeta(STABILISER, alpha=3.0, beta=2.0), slow_rules.alpha_beta, {"alpha": 3.0, "beta": 2.0}),
    "alpha 1, beta 0": (AlphaBeta(STABILISER, alpha=1.0, beta=0.0), slow_rules.z_plus, {}),
    "z_plus, no biases": (ZPlus(STABILISER, biased=False), slow_rules.z_plus, {"biased": False}),
    "alpha_beta, no biases": (AlphaBeta(STABILISER, biased=False), slow_rules.alpha_beta, {"biased": False}),
    "gamma": (Gamma(STABILISER), slow_rules.gamma, {}),
    "gamma 3": (Gamma(STABILISER, gamma=3.0), slow_rules.gamma, {"gamma": 3.0}),
    "excitation": (ExcitationBackprop(), slow_rules.excitation, {}),
    "flat": (Flat(STABILISER), slow_rules.flat, {}),
    "w_square": (WSquare(STABILISER), slow_rules.w_square, {}),
    "box": (Box(STABILISER, low=LOW, high=HIGH), slow_rules.box, {"low": LOW, "high": HIGH}),
}


@cache
def tiny():
    """Its weights in float64, so that no table is rounded."""
    model = TinyModel(size=SIZE)
    weights = {n: {k: np.float64(v) for k, v in own.items()} for n, own in model._parameters.items()}
    return model._copy(_parameters=weights)


def by_table(rule, layer, x, relevance, *, nonnegative, rectified=False):
    """Relevance of x (N, ...) and the accounts, as `TinyModel`'s layer passes them on in float64."""
    model = tiny()
    linear = LinearMap(
        model, layer, layer, ("act1" if layer == "conv2" else "pool",), None, None, False, nonnegative, rectified
    )
    kernel, bias = (model.weights(layer)[name] for name in ("kernel", "bias"))
    if layer == "fc":
        y = x @ kernel.T + bias
        apply, transposed = (lambda u, k: u @ k.T), (lambda dy, k: dy @ k)
    else:
        y, apply, transposed = _conv(x, kernel, bias), _conv, _transposed_conv
    dx, accounts = pulled_back(rule.table(linear), x, y, relevance / y, apply, transposed, kernel)
    return (dx if rule.is_local else x * dx), accounts


def slowly(rule, layer, x, relevance, settings, stabiliser):
    weights = tiny().weights(layer)
    linear = (
        slow_rules.dense(weights["kernel"], weights["bias"])
        if layer == "fc"
        else slow_rules.convolution(weights["kernel"], weights["bias"], x.shape[1:], pad=1)
    )
    found = [
        slow_rules.passed_on(rule, linear, one.ravel(), r.ravel(), stabiliser, **settings)
        for one, r in zip(x, relevance, strict=True)
    ]
    return np.stack([values for values, _ in found]).reshape(x.shape), np.stack([accounts for _, accounts in found])


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("layer", ["conv2", "fc"])
@pytest.mark.parametrize("case", CASES)
def test_a_rule_passes_relevance_on_as_its_paper_says(case, layer, nonnegative):
    rule, slow, settings = CASES[case]
    if case == "box" and layer == "fc":
        rule, settings = (
            Box(STABILISER, low=LOW + LOW[:2], high=HIGH + HIGH[:2]),
            {"low": LOW + LOW[:2], "high": HIGH + HIGH[:2]},
        )
    x = NUMBERS.normal(size=(2, 4, SIZE, SIZE) if layer == "conv2" else (2, 6))
    x = np.abs(x) if nonnegative else x
    relevance = NUMBERS.normal(size=(2, 6, SIZE, SIZE) if layer == "conv2" else (2, 5))
    got, accounts = by_table(rule, layer, x, relevance, nonnegative=nonnegative)
    want, expected = slowly(slow, layer, x, relevance, settings, rule.epsilon)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(accounts, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(relevance.reshape(2, -1).sum(1), got.reshape(2, -1).sum(1) + accounts.sum(1), rtol=1e-9)


def test_gamma_needs_one_branch_where_a_rectifier_takes_what_is_negative_of_its_outputs():
    x = np.abs(NUMBERS.normal(size=(2, 4, SIZE, SIZE)))
    kernel, bias = (tiny().weights("conv2")[name] for name in ("kernel", "bias"))
    relevance = np.where(_conv(x, kernel, bias) > 0, NUMBERS.normal(size=(2, 6, SIZE, SIZE)), 0)
    got, _ = by_table(Gamma(STABILISER), "conv2", x, relevance, nonnegative=True, rectified=True)
    want, _ = slowly(slow_rules.gamma, "conv2", x, relevance, {}, STABILISER)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_z_plus_and_excitation_conserve_relevance_without_biases():
    """The sum of the shares of an output is 1 wherever it has an excitatory input."""
    x = np.abs(NUMBERS.normal(size=(2, 6)))
    relevance = NUMBERS.random((2, 5))
    got, accounts = by_table(ExcitationBackprop(), "fc", x, relevance, nonnegative=True)
    np.testing.assert_allclose(got.sum(axis=1), relevance.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(accounts, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: AlphaBeta(alpha=2.0, beta=0.5), r"alpha_beta has alpha 2 and beta 0\.5; .* alpha_beta:2:1 or alpha"),
        (lambda: AlphaBeta(alpha=0.5, beta=-0.5), r"alpha_beta has alpha 0\.5 and beta -0\.5; .* alpha at least 1"),
        (lambda: Gamma(gamma=-1.0), r"gamma is -1; give 0 or more, and not infinity: gamma:0\.25"),
        (lambda: Gamma(gamma=float("nan")), r"gamma is nan; give 0 or more"),
    ],
)
def test_numbers_that_do_not_conserve_relevance_are_refused(make, text):
    with pytest.raises(ParameterError, match=text):
        make()


def test_every_rule_by_name_is_tested_here():
    assert set(RULES) <= set(CASES)
