"""What a person sees of a result: one line of text, a picture in a notebook, a map in the form that can be read."""

from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.result import Attribution, Result, Synthesis
from crosslens.testing import TinyModel
from PIL import Image

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)


def pixels(png):
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("gradient", "<Attribution of gradient: values (2, 3, 8, 8), objective logit(2)"),
        ("integrated_gradients", "<PathAttribution of integrated_gradients: values (2, 3, 8, 8)"),
        ("deep_dream", "<Synthesis of deep_dream: images (2, 3, 10, 10), 4 steps"),
        ("deletion", "<Scores of deletion: 2 images, area under probability 0."),
    ],
)
def test_a_result_is_one_line_of_text(name, start):
    kind = crosslens.plugins.method_class(name)
    target = 2 if kind.needs_target else None
    text = repr(crosslens.method(name, **kind.example)(TinyModel(), IMAGES, target))
    assert text.startswith(start)
    assert "\n" not in text
    assert len(text) < 200


def test_comparisons_alignments_and_divergences_are_one_line_of_text():
    models = {"a": TinyModel(), "b": TinyModel(seed=1)}
    made = crosslens.compare(models, crosslens.method("gradient"), IMAGES)
    assert repr(made) == "<Comparison of gradient: a, b, 2 images>"
    assert repr(crosslens.align(*models.values(), images=IMAGES)).startswith("<Alignment of ")
    assert repr(crosslens.diverge(*models.values(), images=IMAGES)).startswith("<Divergence of ")


def test_a_notebook_shows_the_picture_large_enough_to_be_seen():
    result = crosslens.method("grad_cam")(TinyModel(), IMAGES[:1], 2)
    shown = pixels(result._repr_png_())
    assert shown.shape == (224, 224, 3)
    np.testing.assert_array_equal(shown[::28, ::28], result.picture())


def test_a_result_without_a_picture_shows_its_text():
    assert Result()._repr_png_() is None


def test_a_notebook_shows_a_comparison_as_a_table_with_pictures():
    models = {"<b>": TinyModel(), "b": TinyModel(seed=1)}
    made = crosslens.compare(models, crosslens.method("gradient"), IMAGES, 1)
    html = made._repr_html_()
    assert "<table" in html
    assert html.count("data:image/png;base64,") == 4
    assert "&lt;b&gt;" in html
    assert "<script" not in html


def test_figures_of_a_comparison_are_columns_as_pandas_takes_them():
    made = crosslens.compare([TinyModel()] * 3, [crosslens.method("gradient"), crosslens.method("grad_cam")], IMAGES)
    figures = made.figures()
    assert figures["method"] == ["gradient"] * 3 + ["grad_cam"] * 3
    assert {len(column) for column in figures.values()} == {6}
    assert figures["relative_l2"] == [row["relative_l2"] for row in made.rows()] == [0.0] * 6


def test_gradients_are_drawn_as_magnitudes_clipped_at_the_99th_percentile():
    """As PAIR's saliency draws them: absolute values of the channels added up, the largest 1 % white."""
    values = np.random.default_rng(1).normal(size=(1, 3, 20, 20)).astype(np.float32)
    result = Attribution(values, images=np.zeros((1, 3, 20, 20), np.float32))
    magnitudes = np.zeros((20, 20))
    for y in range(20):
        for x in range(20):
            magnitudes[y, x] = sum(abs(float(values[0, c, y, x])) for c in range(3))
    limit = np.percentile(magnitudes, 99)
    expected = np.minimum(magnitudes / limit, 1) * 255
    shown = result.picture()
    np.testing.assert_array_equal(shown[..., 0], shown[..., 2])
    np.testing.assert_allclose(shown[..., 0], expected, atol=0.51)
    assert (shown[..., 0] == 255).sum() >= 4


def test_maps_of_a_layer_are_laid_over_the_picture():
    images = np.full((1, 3, 8, 8), 0.5, np.float32)
    result = Attribution(np.arange(4, dtype=np.float32).reshape(1, 2, 2), images=images)
    np.testing.assert_array_equal(result.picture(), result.picture(form="overlay"))
    assert (result.picture(form="magnitude")[..., 0] == result.picture(form="magnitude")[..., 1]).all()


def test_a_preset_s_gradients_are_drawn_as_magnitudes_too():
    result = crosslens.method("gradient", preset="xplique")(TinyModel(), IMAGES[:1], 2)
    assert result.values.ndim == 3
    shown = result.picture()
    np.testing.assert_array_equal(shown[..., 0], shown[..., 1])


def test_the_signed_form_is_red_for_and_blue_against():
    values = np.zeros((1, 3, 2, 2), np.float32)
    values[0, 0, 0, 0], values[0, 1, 1, 1] = 1.0, -1.0
    shown = Attribution(values, images=np.full((1, 3, 2, 2), 0.5, np.float32)).picture(form="signed").astype(int)
    red, blue, nothing = shown[0, 0], shown[1, 1], shown[0, 1]
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
    assert nothing.min() > 240


def test_another_form_is_refused_and_so_is_one_for_raw_values(tmp_path):
    result = crosslens.method("gradient")(TinyModel(), IMAGES[:1], 2)
    with pytest.raises(ParameterError, match=r"no form 'magnitudes'; there are magnitude, signed, overlay\."):
        result.picture(form="magnitudes")
    with pytest.raises(ParameterError, match=r"form= is for pictures, \.png, .*; '\.npz' holds no drawing"):
        result.save(tmp_path / "x.npz", form="signed")
    result.save(tmp_path / "x.png", form="signed")
    assert (tmp_path / "x.png").exists()


def test_a_plugin_s_result_keeps_the_line():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Own(Attribution):
        more: int = 0

    assert repr(Own(np.zeros((1, 2, 2)), method="own")) == "<Own of own: values (1, 2, 2)>"
    assert isinstance(Synthesis(), Result)
