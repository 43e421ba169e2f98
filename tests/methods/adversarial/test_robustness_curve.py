"""Robustness curves on affine networks, whose radii are known; labels, intervals, workers, files, wrong use."""

import json
from dataclasses import dataclass
from typing import Any

import crosslens
import numpy as np
import pytest
from crosslens.attack import AttackMethod
from crosslens.errors import CrosslensError, ParameterError, TargetError
from crosslens.execution.workers import Workers
from crosslens.robustness.curve import ALL, RobustnessCurve
from crosslens.testing import TinyModel
from scipy.stats import binomtest

from tests.core.robustness.affine import Affine, pictures

EPS = {"linf": (0.005, 0.01, 0.02, 0.04), "l2": (0.02, 0.05, 0.1, 0.2), "l1": (0.05, 0.1, 0.2, 0.4)}
NETWORK = Affine(3)
X = pictures(60)
"""Of which some are within each of the radii, and some are not."""


def curve(attacks=("fgsm",), eps=EPS["linf"], data=X, model=None, **options):
    return crosslens.method("robustness_curve", attacks=attacks, eps=eps, **options)(model or NETWORK.model(), data)


@pytest.mark.parametrize("norm", EPS)
def test_accuracy_is_the_share_whose_border_is_further_away(norm):
    result = curve(eps=EPS[norm], norm=norm)
    radii = NETWORK.radii(X, norm)
    expected = [(radii > eps).sum() for eps in (0.0, *EPS[norm])]
    assert len(set(expected)) > 3
    assert result["right"].tolist() == expected
    assert result["eps"].tolist() == [0.0, *EPS[norm]]
    np.testing.assert_allclose(result["accuracy"], np.asarray(expected) / len(X))


def test_intervals_are_wilsons():
    result = curve()
    for right, low, high in zip(result["right"], result["low"], result["high"], strict=True):
        expected = binomtest(int(right), len(X)).proportion_ci(method="wilson")
        np.testing.assert_allclose([low, high], [expected.low, expected.high], atol=1e-12)


def test_with_labels_an_image_wrong_from_the_start_is_wrong_everywhere():
    truth = (NETWORK.margin(X) > 0).astype(int)
    labels = np.where(np.arange(len(X)) % 3 == 0, 1 - truth, truth)
    result = curve(data=(X, labels))
    radii = np.where(labels == truth, NETWORK.radii(X, "linf"), 0.0)
    assert result.against == "label"
    assert result["right"].tolist() == [(radii > eps).sum() for eps in (0.0, *EPS["linf"])]
    assert (result.least_of("fgsm") == 0).sum() == 20
    assert curve(data=(X, labels), against="prediction")["right"][0] == len(X)


def test_without_labels_a_note_says_what_is_right():
    assert "no image has a label: right is what the network predicts for the image itself" in curve().notes
    assert list(curve().figures()) == ["agreement at eps 0", "agreement at eps 0.04"]


def test_labels_may_be_names_and_images_without_one_do_not_count():
    labels = ["yes" if margin > 0 else "no" for margin in NETWORK.margin(X)]
    labels[4] = "perhaps"
    result = curve(data=(X, labels))
    assert result["images"].tolist() == [59] * 5
    assert any("1 of 60 images have no label" in note for note in result.notes)
    with pytest.raises(TargetError, match=r"has the label 'perhaps', which is no class.*against='prediction'"):
        curve(data=(X, labels), against="label")
    with pytest.raises(TargetError, match=r"has no label: make classes sub-folders"):
        curve(against="label")


def test_the_worst_case_is_any_of_the_attacks_image_by_image():
    """On a network that is not affine, where the attacks fool different images."""
    model, x = TinyModel(relu=True, seed=1), np.random.default_rng(5).random((24, 3, 8, 8), dtype=np.float32)
    words = ("fgsm", "pgd:steps=3,random_start=no", "fgsm:loss=margin")
    result = curve(words, (0.02, 0.05, 0.1), x, model)
    fooled = {}
    for word, (name, settings) in zip(
        words, [("fgsm", {}), ("pgd", {"steps": 3, "random_start": False}), ("fgsm", {"loss": "margin"})], strict=True
    ):
        each = [crosslens.method(name, eps=eps, **settings)(model, x).success for eps in (0.02, 0.05, 0.1)]
        fooled[word] = np.logical_or.accumulate(each, axis=0)
        assert result.fooled(word)[1:].tolist() == fooled[word].tolist()
    any_of_them = np.logical_or.reduce(list(fooled.values()))
    assert result.fooled()[1:].tolist() == any_of_them.tolist()
    worst = result["attack"] == ALL
    assert result["right"][worst].tolist() == [24, *(24 - any_of_them.sum(axis=1)).tolist()]


@dataclass(frozen=True, kw_only=True)
class Nearest(AttackMethod):
    """Along the gradient of an affine network to just behind its border, whatever the radius."""

    name = "nearest"

    @property
    def distance_norm(self) -> str:
        return "l2"

    def search(self, problem: Any, progress: Any) -> None:
        rows = problem.unfinished
        w = (NETWORK.w[1] - NETWORK.w[0]).reshape(1, 1, 6, 6).astype(np.float64)
        x = problem.of(rows).astype(np.float64)
        step = -NETWORK.margin(x).reshape(-1, 1, 1, 1) * w / (w**2).sum()
        moved = (x + 1.0001 * step).astype(np.float32)
        problem.offer(moved, rows, problem.logits(moved, rows))


def test_an_attack_without_a_radius_gives_the_whole_curve_in_one_run():
    result = curve((Nearest(),), EPS["l2"], norm="l2")
    radii = 1.0001 * NETWORK.radii(X, "l2")
    np.testing.assert_allclose(result.least_of(result.attacks[0]), radii, rtol=1e-4)
    assert result["right"].tolist() == [(radii > eps).sum() for eps in (0.0, *EPS["l2"])]
    assert result.queries.tolist() == [[2] * 60]
    other = curve((Nearest(),), EPS["linf"])
    assert any("in l2, not in linf" in note for note in other.notes)


def test_an_image_that_is_fooled_is_not_attacked_at_larger_radii():
    result = curve(eps=(0.3, 0.4, 0.5))
    assert result.fooled()[1].all()
    assert result.queries.tolist() == [[3] * 60]  # the image, at the gradient, the picture


def test_two_workers_and_a_survey_give_the_same_bits(tmp_path):
    np.savez(tmp_path / "few.npz", images=(255 * X).astype(np.uint8))
    model, method = NETWORK.model(), crosslens.method("robustness_curve", attacks=("pgd",), eps=(0.01, 0.02))
    alone, shared = (method(model, tmp_path / "few.npz", workers=Workers.of(count, 1)) for count in (1, 2))
    assert shared.least.tolist() == alone.least.tolist()
    assert shared.queries.tolist() == alone.queries.tolist()
    survey = crosslens.sweep(model, tmp_path / "few.npz", [method], store=tmp_path / "survey")
    kept = crosslens.load(tmp_path / "survey")["robustness_curve"]
    assert kept.least.tolist() == survey["robustness_curve"].least.tolist() == alone.least.tolist()


def test_from_python_with_methods_words_and_a_store_that_several_curves_share(tmp_path):
    model = NETWORK.model()
    result = crosslens.robustness_curve(model, X, [crosslens.method("pgd", steps=3), "fgsm"], [0.01, 0.02])
    own = crosslens.method("robustness_curve", attacks=[crosslens.method("pgd", steps=3)], eps=np.array([0.01, 0.02]))
    assert own(model, X).least.tolist() == result.least[:1].tolist()
    assert result.attacks == ("pgd:steps=3", "fgsm")
    assert result["right"][-3:].tolist() == [(NETWORK.radii(X, "linf") > eps).sum() for eps in (0, 0.01, 0.02)]
    curves = [
        crosslens.robustness_curve(model, X, "pgd:steps=2,restarts=2,fgsm", eps, store=tmp_path / "survey")
        for eps in (0.01, (0.005, 0.02))
    ]
    assert [each.eps for each in curves] == [(0.0, 0.01), (0.0, 0.005, 0.02)]
    assert [each.attacks for each in curves] == [("pgd:steps=2,restarts=2", "fgsm")] * 2


@pytest.mark.parametrize("ending", ["png", "svg", "csv", "json", "npz", "parquet"])
def test_it_is_saved_as_plot_and_table(tmp_path, ending):
    result = curve(("fgsm", "pgd:steps=3"))
    path = result.save(tmp_path / f"curve.{ending}")
    if ending == "npz":
        again = crosslens.load(path)
        assert isinstance(again, RobustnessCurve)
        assert again == result
    elif ending == "json":
        saved = json.loads(path.read_text())
        assert saved["columns"]["right"] == result["right"].tolist()
        assert saved["least"]["fgsm"] == [None if np.isinf(n) else n for n in result.least_of("fgsm")]
    elif ending == "csv":
        assert path.read_text().splitlines()[0] == "attack,eps,accuracy,low,high,right,images"
    else:
        start = {"png": b"\x89PNG", "svg": b"<?xml", "parquet": b"PAR1"}[ending]
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": (0.2, 0.1)}, r"eps is 0\.2, 0\.1; give radii in increasing order: 0\.1,0\.2"),
        ({"eps": (0.1, 0.1)}, r"increasing order: 0\.1"),
        ({"eps": ()}, r"eps is empty; give radii"),
        ({"eps": (-0.1,)}, r"eps is \(-0\.1,\).*at least 0"),
        ({"eps": (8,)}, r"eps goes to 8 in L-inf.*8 of 255 is 0\.0314"),
        ({"attacks": ()}, r"no attack is given; there are .*fgsm.*pgd"),
        ({"attacks": ("pgd", "pgd")}, r"'pgd' is given twice"),
        ({"attacks": ("nope",)}, r"'nope'.*crosslens methods"),
        ({"attacks": ("grad_cam",)}, r"grad_cam is not an attack on single images: .*fgsm.*pgd"),
        ({"attacks": ("pgd:eps=0.1",)}, r"pgd is given a radius of its own"),
        ({"attacks": ("pgd:norm=l2",)}, r"pgd is given a norm of its own"),
        ({"attacks": ("pgd:stepz=1",)}, r"pgd has no parameter 'stepz'.*Did you mean 'steps'"),
        ({"attacks": ("pgd:steps=x",)}, r"steps is 'x'"),
        ({"attacks": ("pgd:steps",)}, r"'pgd:steps' has 'steps' where NAME=VALUE is right"),
        ({"attacks": ("pgd:steps=0",)}, r"steps is 0; it must be"),
        ({"norm": "l3"}, r"norm is 'l3'; it must be linf, l2 or l1"),
        ({"attacks": 3}, r"."),
    ],
)
def test_wrong_use_gets_one_clear_line(options, message):
    with pytest.raises(CrosslensError, match=message) as error:
        curve(**options)
    assert "\n" not in str(error.value)


def test_an_unknown_attack_of_a_curve_is_named():
    with pytest.raises(ParameterError, match=r"no attack 'pdg'.*Did you mean 'pgd'"):
        curve(("fgsm", "pgd")).least_of("pdg")
