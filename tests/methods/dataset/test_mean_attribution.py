"""Mean attributions against single calls of the method, averaged by hand."""

import crosslens
import numpy as np
import pytest
from crosslens.data import ArraySource
from crosslens.errors import CrosslensError, ImageError, ParameterError, PluginError, TargetError
from crosslens.testing import TinyModel, same

MODEL = TinyModel()
IMAGES = np.random.default_rng(0).random((9, 3, 8, 8), dtype=np.float32)
LABELS = ["class 1", "class 4", "class 1"] * 3
SOURCE = ArraySource(IMAGES, LABELS)


def averaged(source=SOURCE, model=MODEL, batch_size=None, **parameters):
    model.batch_size = batch_size
    return crosslens.method("mean_attribution", **parameters)(model, source)


def single_maps(targets, name="grad_cam", **parameters):
    made = [crosslens.method(name, **parameters)(MODEL, x[None], t) for x, t in zip(IMAGES, targets, strict=True)]
    return np.stack([each.values[0] for each in made]).astype(np.float64)


@pytest.mark.parametrize(
    ("target", "targets"), [("predicted", [None] * 9), ("label", LABELS), (3, [3] * 9), ("class 2", [2] * 9)]
)
@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_mean_and_deviation_are_those_of_the_maps_of_single_images(target, targets, batch_size):
    result, maps = averaged(target=target, batch_size=batch_size), single_maps(targets)
    same(result.mean[0], maps.mean(axis=0))
    same(result.deviation[0], maps.std(axis=0), rtol=1e-4)
    assert (result.labels, result.counts.tolist()) == (("all images",), [9])
    assert result.provenance["layers"] == ["act2"]


def test_by_class_each_label_has_a_mean_of_its_own():
    result, maps = averaged(by_class=True), single_maps([None] * 9)
    assert (result.labels, result.counts.tolist()) == (("class 1", "class 4"), [6, 3])
    for n, label in enumerate(result.labels):
        own = maps[[each == label for each in LABELS]]
        same(result.mean[n], own.mean(axis=0))
        same(result.deviation[n], own.std(axis=0), rtol=1e-4)
    same(result[1].mean, result.mean[1:], exact=True)
    assert result[1].labels == ("class 4",)


def test_maps_of_more_classes_than_memory_holds_are_refused_with_what_to_type(monkeypatch):
    monkeypatch.setattr("crosslens.methods.dataset._map_moments.MOST_BYTES", 2 * 8 * 2 * 64 - 1)
    with pytest.raises(ParameterError, match=r"for each of 2 labels.*attribution='grad_cam'.*leave by_class out"):
        averaged(attribution="gradient", by_class=True)
    averaged(attribution="gradient")


def test_maps_can_be_divided_by_their_largest_magnitude_or_sum_before():
    maps = single_maps([None] * 9)
    largest = maps / np.abs(maps).max(axis=(1, 2), keepdims=True)
    shares = maps / np.abs(maps).sum(axis=(1, 2), keepdims=True)
    same(averaged(normalise="max").mean[0], largest.mean(axis=0))
    same(averaged(normalise="sum").mean[0], shares.mean(axis=0))


def test_values_of_single_pixels_are_averaged_as_magnitudes_over_channels():
    magnitudes = np.abs(single_maps([1] * 9, "gradient")).sum(axis=1)
    same(averaged(attribution="gradient", target=1).mean[0], magnitudes.mean(axis=0))


def test_a_configured_method_keeps_its_parameters():
    chosen = crosslens.method("grad_cam", layer="conv1")
    same(averaged(attribution=chosen).mean[0], single_maps([None] * 9, layer="conv1").mean(axis=0))


def test_a_random_method_draws_anew_for_each_image_and_alike_in_any_batch():
    noisy = crosslens.method("smooth_grad", samples=3)
    once, again = (averaged(attribution=noisy, batch_size=size) for size in (None, 2))
    same(once.mean, again.mean)
    twice = averaged(np.repeat(IMAGES[:1], 2, axis=0), attribution=noisy)
    assert twice.deviation.max() > 0
    other = averaged(attribution=crosslens.method("smooth_grad", samples=3, seed=1))
    assert np.abs(other.mean - once.mean).max() > 0


def test_maps_of_zeros_are_counted_and_divided_by_nothing():
    model = TinyModel(relu=True)
    dark = model._with_weights({"conv1": {"kernel": 0 * model.weights("conv1")["kernel"], "bias": -np.ones(4, "f4")}})
    result = averaged(model=dark, target=1, attribution="gradient", normalise="max")
    same(result.mean, np.zeros((1, 8, 8)), exact=True)
    assert "9 of 9 maps are zero throughout, and are averaged as such" in result.notes


def test_the_picture_has_a_row_for_each_class_and_the_frame_a_row_for_each_value():
    result = averaged(by_class=True)
    assert result.picture().shape[0] > averaged().picture().shape[0]
    frame = result.to_dataframe()
    assert list(frame.columns) == ["class", "row", "column", "value", "deviation"]
    assert frame[frame["class"] == "class 4"]["value"].tolist() == result.mean[1].ravel().tolist()
    assert result.figures() == {"images": {"class 1": 6, "class 4": 3}}


def test_a_survey_has_the_picture_too(tmp_path):
    (file,) = averaged().save_into(tmp_path)
    assert crosslens.load_image(file).shape[1] == 3


@pytest.mark.parametrize(
    ("source", "parameters", "kind", "text"),
    [
        (IMAGES, {"by_class": True}, ImageError, "by_class needs the label of each image, and '0' has none"),
        (IMAGES, {"target": "label"}, TargetError, "target is 'label', and image '0' has no label"),
        (
            ArraySource(IMAGES, ["dog"] * 9),
            {"target": "label"},
            TargetError,
            "label of image '0' is no class: no label",
        ),
        (IMAGES, {"target": 9}, TargetError, "9 is out of range"),
        (IMAGES, {"attribution": "grad_can"}, PluginError, "Did you mean 'grad_cam'"),
        (IMAGES, {"attribution": "caricature"}, ParameterError, "averages a method that explains images"),
        (IMAGES, {"attribution": "insertion"}, ParameterError, "insertion gives a Scores, not an attribution"),
        (IMAGES, {"target": [1, 2]}, ParameterError, "numbers and text, not arrays or lists"),
        (IMAGES, {"normalise": "l2"}, ParameterError, "normalise is 'l2'; it must be none, max or sum"),
    ],
)
def test_what_cannot_be_averaged_is_refused(source, parameters, kind, text):
    with pytest.raises(kind, match=text):
        averaged(source, **parameters)


def test_maps_of_different_sizes_are_refused():
    statistic = crosslens.method("mean_attribution").statistics(MODEL, SOURCE)[0]

    def state(size):
        maps = {"sum": np.ones((1, size, size)), "squares": np.ones((1, size, size))}
        return {"labels": np.asarray(["a"]), "images": np.ones(1, int), "zero": np.zeros(1, int), **maps}

    with pytest.raises(ImageError, match=r"maps of different sizes cannot be averaged: \(7, 7\) and \(8, 8\)"):
        statistic.merge(state(7), state(8))


def test_a_network_that_gives_nan_is_an_error_and_no_mean():
    broken = MODEL._with_weights({"fc": {"kernel": np.full((5, 6), np.nan, np.float32), "bias": np.zeros(5, "f4")}})
    with pytest.raises(CrosslensError, match="NaN"):
        averaged(model=broken, target=1)
