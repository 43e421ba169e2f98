"""Sums and products in the text of a target."""

import numpy as np
import pytest
from crosslens import OUTPUT
from crosslens.errors import TargetError
from crosslens.objective import (
    channel,
    each,
    logit,
    norm,
    total_variation,
)
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel


@pytest.fixture
def model():
    made = TinyModel()
    made.labels = ["tench", "tiger cat, cat", "tabby", "cardigan", "cardigan"]
    return made


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("channel:conv1:1 + channel:conv1:2", channel("conv1", 1) + channel("conv1", 2)),
        ("tabby - 0.01 * total_variation:2", logit(2) - 0.01 * total_variation()),
        ("2 + 1e-3 * norm:1", logit(2) + 1e-3 * norm(1, centre=0.5)),
        ("(tench + 2) / 2", logit(0) / 2 + logit(2) / 2),
        ("-1 * channel:conv1:1", -channel("conv1", 1)),
        ("- (channel:conv1:1 - 0.5)", 0.5 - channel("conv1", 1)),
        ("1.0 + channel:conv1:1", 1 + channel("conv1", 1)),
        ("2 * (channel:conv1:1 + 3 * channel:conv1:2) / 4", 0.5 * channel("conv1", 1) + 1.5 * channel("conv1", 2)),
        ("281e-2 * channel:conv1:1", 2.81 * channel("conv1", 1)),
        ("0.5 * 2", 0.5 * logit(2)),
        ("4 / 2", logit(4) / 2),
        ("channel:conv1:1 | tabby - norm:6", each([channel("conv1", 1), logit(2) - norm(6, centre=0.5)])),
    ],
)
def test_operators_mean_those_of_objectives(model, target, meant):
    assert resolve_target(target, model, 2) == meant


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("(0 + 1", TargetError, r"target '\(0 \+ 1' has a '\(' without a '\)'"),
        ("0 + 1)", TargetError, r"has a '\)' without a '\('"),
        (
            "0 +",
            TargetError,
            r"^target '0 \+' lacks a class, an objective or a number next to an operator; write for example",
        ),
        ("0 + * 1", TargetError, "lacks a class, an objective or a number"),
        ("* 1", TargetError, "lacks a class, an objective or a number"),
        ("1.5", TargetError, "is a number and not a class; classes are whole numbers"),
        ("0 + ", TargetError, "lacks a class, an objective or a number"),
        ("tench * tabby", TargetError, "multiplies or divides by an objective; only numbers can stand there"),
        ("1.0 / tabby", TargetError, "multiplies or divides by an objective"),
        ("tabby / 0", TargetError, "divides by 0"),
    ],
)
def test_what_cannot_be_read_is_refused(model, target, kind, message):
    with pytest.raises(kind, match=message):
        resolve_target(target, model, 2)


def test_a_text_s_value_is_its_arithmetic(model):
    images = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    at = model.forward(images, ["conv1", OUTPUT])
    a, b = at["conv1"].mean((2, 3))[:, 1], at[OUTPUT][:, 2]
    for text, expected in {
        "(channel:conv1:1 + tabby) / 2 - 0.5": (a + b) / 2 - 0.5,
        "- 2 * (1.5 - channel:conv1:1)": -2 * (1.5 - a),
        "3 * tabby / 4 + channel:conv1:1 * 0.25": 0.75 * b + 0.25 * a,
    }.items():
        np.testing.assert_allclose(resolve_target(text, model, 2).value(at), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("(" * 10_000 + "1" + ")" * 10_000, "more than 100 parentheses or signs within each other"),
        ("- " * 10_000 + "1", "more than 100 parentheses or signs within each other"),
        ("1e400 * 1", "a number that is too large"),
        ("1 / 1e-320", "finite numbers only, not by inf"),
        ("0" * 5000, "no label"),
        ("9**9**9", "no label"),
        ("x" * 1_000_000, "no label"),
    ],
    ids=["parentheses", "signs", "infinite", "inverse", "digits", "powers", "long"],
)
def test_what_is_too_deep_too_large_or_too_long_is_refused_in_one_short_line(model, target, message):
    with pytest.raises(TargetError, match=message) as refusal:
        resolve_target(target, model, 1)
    assert len(str(refusal.value)) <= 2100


@pytest.mark.parametrize(
    "target", [10**400, 10**5000, [10**400], float("inf")], ids=["400", "5000", "list", "infinite"]
)
def test_a_number_that_is_no_class_is_refused(model, target):
    with pytest.raises(TargetError, match="is not a class"):
        resolve_target(target, model, 1)


def test_an_objective_is_multiplied_by_finite_numbers(model):
    with pytest.raises(TargetError, match="finite numbers only, not by 1000"):
        10**400 * logit(1)
