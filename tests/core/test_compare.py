"""Agreement figures against SciPy and by hand, and comparing whole models."""

import json

import numpy as np
import pytest
from crosslens.compare import agreement, compare
from crosslens.errors import ComparisonError
from crosslens.plugins import method
from crosslens.testing import TinyModel
from scipy.stats import spearmanr


@pytest.fixture
def image():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


def test_agreement_is_what_its_names_say():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 4, 4))
    b = a + 0.3 * rng.normal(size=a.shape)
    found = agreement(a, b)
    assert found["max_relative_difference"] == pytest.approx(np.abs(a - b).max() / np.abs(a).max())
    assert found["relative_l2"] == pytest.approx(np.sqrt(((a - b) ** 2).sum()) / np.sqrt((a**2).sum()))
    assert found["rank_correlation"] == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_equal_values_agree_perfectly_zeros_too():
    for a in (np.arange(6.0), np.zeros(6)):
        assert agreement(a, a) == {"max_relative_difference": 0, "relative_l2": 0, "rank_correlation": 1}


def test_zeros_against_values_do_not_pass_as_equal():
    assert agreement(np.zeros(3), np.ones(3))["max_relative_difference"] == float("inf")


def test_values_of_different_shapes_are_refused():
    with pytest.raises(ComparisonError, match=r"values of shape \(2,\) and \(3,\) cannot be compared"):
        agreement(np.zeros(2), np.zeros(3))


def test_a_model_agrees_with_itself_and_not_with_another(image):
    same = compare([TinyModel(), TinyModel()], method("gradient"), image)
    (row,) = same.figures()
    assert row["models"] == ["tiny", "tiny 2"]
    assert row["max_relative_difference"] == 0
    (row,) = compare([TinyModel(), TinyModel(seed=1)], method("gradient"), image).figures()
    assert row["max_relative_difference"] > 0.1


def test_one_target_for_all_the_first_models_prediction(image):
    first, other = TinyModel(), TinyModel(seed=3)
    made = compare({"a": first, "b": other}, method("grad_cam"), image)
    objectives = {made.results["grad_cam", name].provenance["objective"] for name in "ab"}
    predicted = first.forward(image)["<output>"].argmax(axis=1)
    assert objectives == {f"logit({', '.join(map(str, predicted))})"}


def test_the_json_holds_figures_and_predictions(image, tmp_path):
    made = compare([TinyModel(), TinyModel()], [method("gradient"), method("grad_cam")], image)
    record = json.loads(made.save(tmp_path / "c.json").read_text())
    assert [row["method"] for row in record["figures"]] == ["gradient", "grad_cam"]
    assert record["predictions"][0]["class"] == record["predictions"][1]["class"]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([TinyModel()], "comparing takes two models or more; there is 1"),
        ([TinyModel(), TinyModel(classes=4)], "different numbers of classes: tiny 5, tiny 2 4"),
        ([TinyModel(), TinyModel(size=9)], r"take different images: tiny \(3, 8, 8\), tiny 2 \(3, 9, 9\)"),
    ],
)
def test_models_that_are_not_one_network_are_refused(models, message, image):
    with pytest.raises(ComparisonError, match=message):
        compare(models, method("gradient"), image)


def test_a_comparison_is_saved_as_html_or_json_only(image, tmp_path):
    with pytest.raises(ComparisonError, match=r"use .html for a report, .json for figures"):
        compare([TinyModel(), TinyModel()], method("gradient"), image).save(tmp_path / "x.txt")


def test_a_figure_that_is_infinite_is_null_in_json(image, tmp_path):
    """Strict parsers refuse Infinity."""
    still = TinyModel().modified(relu="exact")
    still = still.randomised(["fc"], 0)._with_weights({"fc": {"kernel": np.zeros((5, 6), np.float32)}})
    text = compare([still, TinyModel()], method("gradient"), image, target=0).save(tmp_path / "c.json").read_text()
    assert "Infinity" not in text
    assert json.loads(text)["figures"][0]["max_relative_difference"] is None
