"""Comparing whole models: figures of every image, the worst of them, noise, predictions, limits."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from crosslens.comparison.aggregate import Limit
from crosslens.comparison.compare import compare
from crosslens.comparison.metrics import agreement
from crosslens.comparison.rounding_noise import evenly_spread, round_at_random
from crosslens.errors import ComparisonError, ImageError, LayerError, ModelError, ParameterError
from crosslens.method import Method
from crosslens.plugins import method, method_class
from crosslens.result.table import Table
from crosslens.testing import TinyModel


@pytest.fixture
def image():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


def test_a_model_agrees_with_itself_and_not_with_another(image):
    same = compare([TinyModel(), TinyModel()], method("gradient"), image)
    (row,) = same.rows()
    assert row["models"] == ["tiny", "tiny 2"]
    assert row["max_relative_difference"] == 0
    (row,) = compare([TinyModel(), TinyModel(seed=1)], method("gradient"), image).rows()
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
        (
            [TinyModel(), TinyModel(classes=4)],
            r"different outputs: tiny \(5,\), tiny 2 \(4,\); they are not one network",
        ),
        (
            [TinyModel(), TinyModel(size=9)],
            r"take different images: tiny \(3, 8, 8\), tiny 2 \(3, 9, 9\); resize one of them",
        ),
    ],
)
def test_models_that_are_not_one_network_are_refused(models, message, image):
    with pytest.raises(ComparisonError, match=message):
        compare(models, method("gradient"), image)


def test_a_comparison_is_saved_as_html_or_json_only(image, tmp_path):
    with pytest.raises(ComparisonError, match=r"use .html for a report, .json for figures"):
        compare([TinyModel(), TinyModel()], method("gradient"), image).save(tmp_path / "x.txt")


def test_a_comparison_that_cannot_be_written_leaves_nothing(image, tmp_path):
    made = compare([TinyModel(), TinyModel()], method("gradient"), image)
    with pytest.raises(ComparisonError, match=r"cannot write '.*gone/c\.json'"):
        made.save(tmp_path / "gone" / "c.json")
    made.save(tmp_path / "c.html")
    assert [path.name for path in tmp_path.iterdir()] == ["c.html"]


def test_a_figure_that_is_infinite_is_null_in_json(image, tmp_path):
    """Strict parsers refuse Infinity."""
    still = TinyModel().modified(relu="exact")
    still = still.randomised(["fc"], 0)._with_weights({"fc": {"kernel": np.zeros((5, 6), np.float32)}})
    text = compare([still, TinyModel()], method("gradient"), image, target=0).save(tmp_path / "c.json").read_text()
    assert "Infinity" not in text
    assert json.loads(text)["figures"][0]["max_relative_difference"] is None


def test_figures_are_the_worst_of_the_images_and_quantiles_lie_on_the_way(image):
    made = compare([TinyModel(), TinyModel(seed=1)], method("grad_cam"), np.concatenate([image] * 2), target=0)
    maps = [made.results["grad_cam", name].values for name in made.models]
    each = [agreement(a, b) for a, b in zip(*maps, strict=True)]
    assert [row["relative_l2"] for row in made.images] == [figures["relative_l2"] for figures in each]
    (row,), (spread,) = made.rows(), made.quantiles()
    assert row["relative_l2"] == max(figures["relative_l2"] for figures in each)
    assert row["rank_correlation"] == min(figures["rank_correlation"] for figures in each)
    assert spread["relative_l2"]["median"] == sorted(figures["relative_l2"] for figures in each)[1]
    assert spread["relative_l2"]["mean"] == pytest.approx(np.mean([figures["relative_l2"] for figures in each]))


def test_noise_is_what_one_rounding_of_the_image_does_to_one_model(image):
    """A smooth network moves by rounding, no more; the yardstick comes from one model alone."""
    made = compare([TinyModel(), TinyModel(seed=1)], method("gradient"), image, target=0)
    noise = made.noise["gradient"]
    assert noise.model in made.models
    assert noise.images == 2
    assert 1e-9 < noise.figures["relative_l2"] < 1e-5
    assert made.as_json()["noise"]["gradient"]["how"].startswith(
        f"{noise.model} against itself, every value of 2 pictures moved"
    )


def test_rounding_moves_every_value_by_one_unit_and_stays_an_image():
    values = np.array([0, 1, 0.5, 0.3, 2.0**-20, 1 - 2.0**-24], np.float32)
    moved = round_at_random(values)
    assert ((moved >= 0) & (moved <= 1) & (moved != values)).all()
    np.testing.assert_allclose(np.abs(moved.astype(np.float64) - values), 2.0**-24, rtol=0.51)


def test_noise_is_measured_on_a_few_images_spread_evenly():
    assert evenly_spread(2) == [0, 1]
    assert evenly_spread(100) == [0, 33, 66, 99]


def test_a_method_that_makes_its_own_images_has_no_noise_to_measure(image):
    quick = method("activation_maximisation", steps=2)
    assert not compare([TinyModel(), TinyModel()], quick, target=1).noise


def test_predictions_agree_by_class_and_by_the_probability_of_the_first_models_class(image):
    first, other = TinyModel(), TinyModel(seed=1)
    made = compare({"a": first, "b": other}, method("gradient"), image)
    outputs = [model.forward(image)["<output>"].astype(np.float64) for model in (first, other)]
    shares = [np.exp(o) / np.exp(o).sum(axis=1, keepdims=True) for o in outputs]
    best = shares[0].argmax(axis=1)
    (row,) = made.predicted
    assert row["same_class"] == np.mean(best == shares[1].argmax(axis=1))
    apart = [abs(shares[0][n, c] - shares[1][n, c]) for n, c in enumerate(best)]
    assert row["probability_difference"] == pytest.approx(max(apart), rel=1e-4)


def test_more_images_than_a_batch_holds_are_predicted_in_parts(image):
    class Narrow(TinyModel):
        def forward(self, x, *args, **kwargs):
            assert x.shape[0] <= 3, "the whole folder at once"
            return super().forward(x, *args, **kwargs)

    narrow = Narrow()
    narrow.batch_size = 3
    many = np.concatenate([image] * 5)
    made = compare([narrow, TinyModel()], method("gradient"), many)
    assert made.predictions[0].classes == made.predictions[1].classes


def test_limits_name_what_passes_them(image):
    made = compare({"a": TinyModel(), "b": TinyModel(seed=1)}, method("gradient"), image)
    assert not made.passed([Limit.read("relative_l2=1e6"), Limit.read("ssim=-1")])
    failed = made.passed([Limit.read("relative_l2=1e-3"), Limit.read("ssim=0.999"), Limit.read("same_class=2")])
    assert [text.partition(" of ")[0] for text in failed] == ["relative_l2", "ssim", "same_class"]
    assert "of gradient on a and b is" in failed[0]
    assert failed[0].endswith("the limit is relative_l2 at most 0.001")
    assert failed[1].endswith("the limit is ssim at least 0.999")


def test_nan_keeps_no_limit():
    assert not Limit("relative_l2", 1.0).allows(float("nan"))
    assert not Limit("ssim", 0.0).allows(float("nan"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relative_l3=1", "no figure 'relative_l3'; there are max_relative_difference, .* Did you mean 'rel"),
        ("ssim", "'ssim' is not a limit; write ssim=NUMBER, ssim=1e-3 for example"),
        ("ssim=high", "'ssim=high' is not a limit"),
        ("ssim=nan", "the limit of ssim is nan; it must be a finite number"),
    ],
)
def test_a_text_that_is_not_a_limit_is_refused(text, message):
    with pytest.raises(ParameterError, match=message):
        Limit.read(text)


def test_one_method_twice_is_refused(image):
    with pytest.raises(ComparisonError, match="gradient is given twice; give each a label"):
        compare([TinyModel(), TinyModel()], [method("gradient"), method("gradient", layer="conv1")], image)


def test_a_layer_that_no_model_has_is_refused_with_the_nearest(image):
    with pytest.raises(LayerError, match="no layer 'conv9' in this model"):
        compare([TinyModel(), TinyModel()], method("grad_cam", layer="conv9"), image)


@dataclass(frozen=True, kw_only=True)
class Picky(method_class("gradient")):
    """The gradient, of pictures that are not bright."""

    name = "picky"

    def run(self, model, images, objective, progress):
        if float(images.mean(axis=(1, 2, 3)).max()) > 0.9:
            raise ImageError("a picture is too bright")
        return super().run(model, images, objective, progress)


@dataclass(frozen=True, kw_only=True)
class NotOnSeedTwo(method_class("gradient")):
    name = "not_on_seed_two"

    def run(self, model, images, objective, progress):
        if model.digest == TinyModel(seed=2).digest:
            raise ModelError("this model has too many weights")
        return super().run(model, images, objective, progress)


def test_a_picture_on_which_a_method_fails_is_left_out_with_its_reason():
    images = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
    images[1] = 1.0
    models = {"a": TinyModel(), "b": TinyModel(seed=1)}
    made = compare(models, [Picky(), method("grad_cam")], images, [0, 1, 2], titles=["x", "y", "z"])
    assert [(each.method, each.image, each.reason) for each in made.skipped] == [
        ("picky", "y", "a picture is too bright"),
        ("picky", "y", "a picture is too bright"),
    ]
    assert made.titles == ("x", "z")
    expected = compare(models, method("grad_cam"), images[[0, 2]], [0, 2])
    figures = [row["relative_l2"] for row in made.images if row["method"] == "grad_cam"]
    assert figures == pytest.approx([row["relative_l2"] for row in expected.images], rel=1e-4)
    assert len([row for row in made.images if row["method"] == "picky"]) == 2
    assert len(made.predictions[0].classes) == 2


def test_a_model_on_which_a_method_fails_is_left_out_of_that_method_only(image, tmp_path):
    models = {name: TinyModel(seed=seed) for name, seed in (("a", 0), ("b", 1), ("c", 2))}
    made = compare(models, [NotOnSeedTwo(), method("gradient")], image)
    pairs = {(row["method"], *row["models"]) for row in made.rows()}
    assert pairs == {
        ("not_on_seed_two", "a", "b"),
        ("gradient", "a", "b"),
        ("gradient", "a", "c"),
        ("gradient", "b", "c"),
    }
    assert "Left out: not_on_seed_two on c: this model has too many weights." in made.view.verdict.text
    assert "too many weights" in made.save(tmp_path / "report.html").read_text()


def test_progress_counts_the_results_of_pictures(image):
    told = []
    models = {"a": TinyModel(), "b": TinyModel(seed=1)}
    compare(models, ["gradient", "grad_cam"], image, progress=lambda *step: told.append(step))
    ran = [step[:2] for step in told if " on " in step[2]]
    assert ran[0] == (0, 8)
    assert ran[-1] == (8, 8)
    assert ran == sorted(ran)


def test_dictionaries_are_compared_by_the_contributions_of_all_units(image):
    dictionary = method("semantic_dictionary", icons="none", layer="act2")
    (row,) = compare([TinyModel(relu=True), TinyModel(relu=True)], dictionary, image, 1).rows()
    assert row["max_relative_difference"] == 0
    (row,) = compare([TinyModel(relu=True), TinyModel(relu=True, seed=1)], dictionary, image, 1).rows()
    assert row["max_relative_difference"] > 0.1


def test_a_method_whose_results_have_no_values_is_refused_before_it_runs(image):
    @dataclass(frozen=True, kw_only=True)
    class Tabulated(Method):
        """A table."""

        name = "tabulated"

        def run(self, model, images, objective, progress) -> Table:
            raise AssertionError("it ran")

    with pytest.raises(ComparisonError, match="tabulated gives no values to compare; run it on each model: crosslens"):
        compare([TinyModel(), TinyModel()], Tabulated(), image)
