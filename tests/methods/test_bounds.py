"""Images in other bounds than [0, 1]: every method asks the same network the same questions, in the images' own unit.

The oracle is the chain rule: the network f on images u in [0, 1], and g(x) = f((x - low) / (high - low)) on images
x = low + (high - low) u, are one function. Scores are equal, gradients (high - low) times smaller, and what is counted
in the target's unit (occlusion, RISE, integrated gradients, maps of layers) is the same.
"""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ComparisonError, ImageError, ParameterError
from crosslens.image.io import load_image, save_image
from PIL import Image
from torch import nn

LOW, HIGH = -1.0, 3.0
SHAPE = (3, 24, 28)
UNIT = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
OWN = (LOW + (HIGH - LOW) * UNIT).astype(np.float32)


@pytest.fixture(scope="module")
def pair():
    """The network for images in [0, 1], and for the same images in [LOW, HIGH]."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.Softplus(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 4),
    ).eval()  # fmt: skip
    shape = {"preprocess": "imagenet", "input_shape": SHAPE}
    return crosslens.wrap(net, **shape), crosslens.wrap(net, **shape, bounds=(LOW, HIGH))


@pytest.mark.parametrize(
    ("name", "parameters", "factor"),
    [
        ("gradient", {}, HIGH - LOW),
        ("smooth_grad", {"samples": 4}, HIGH - LOW),
        ("sensitivity", {"block": 8, "step": 0.05}, HIGH - LOW),
        ("integrated_gradients", {"steps": 8}, 1),
        ("integrated_gradients", {"steps": 8, "baseline": ("white", "grey", "blurred", "noise")}, 1),
        ("expected_gradients", {"samples": 6}, 1),
        ("occlusion", {"window": 8, "stride": 6}, 1),
        ("rise", {"samples": 12, "cells": 4}, 1),
        ("lime", {"samples": 30, "superpixels": "grid", "segments": 6}, 1),
        ("kernel_shap", {"samples": 30, "superpixels": "grid", "segments": 6, "fill": "grey"}, 1),
        ("grad_cam", {}, 1),
        ("score_cam", {}, 1),
        ("meaningful_perturbation", {"steps": 3}, 1),
        ("extremal", {"steps": 3, "areas": 0.3}, 1),
    ],
)
def test_a_method_finds_the_same_in_other_bounds(pair, name, parameters, factor):
    unit, own = pair
    want = crosslens.method(name, **parameters)(unit, UNIT, 1)
    got = crosslens.method(name, **parameters)(own, OWN, 1)
    np.testing.assert_allclose(got.scores, want.scores, rtol=1e-4, atol=1e-5)
    scale = np.abs(want.values).max()
    np.testing.assert_allclose(factor * got.values, want.values, rtol=1e-3, atol=2e-3 * scale)
    assert got.provenance["bounds"] == [LOW, HIGH]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("insertion", {"steps": 6}),
        ("deletion", {"steps": 6}),
        ("average_drop", {}),
        ("infidelity", {"window": 8, "samples": 4, "method": "gradient"}),
        ("infidelity", {"change": "noisy_baseline", "samples": 4, "method": "gradient"}),
        ("sensitivity_max", {"samples": 3, "method": "grad_cam"}),
    ],
)
def test_a_metric_measures_the_same_in_other_bounds(pair, name, parameters):
    unit, own = pair
    parameters = dict(parameters)
    judged = parameters.pop("method", "grad_cam")
    want = crosslens.method(name, method=judged, **parameters)(unit, UNIT, 1)
    got = crosslens.method(name, method=judged, **parameters)(own, OWN, 1)
    np.testing.assert_allclose(got.values, want.values, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "parameters", "given"),
    [
        ("activation_maximisation", {"steps": 4}, False),
        ("activation_maximisation", {"steps": 4, "parameterisation": "pixels", "bound": "clip", "noise": 0.1}, False),
        ("class_maximisation", {"steps": 4}, False),
        ("maco", {"steps": 3}, False),
        ("accentuation", {"steps": 3}, True),
        ("caricature", {"steps": 3}, True),
        ("deep_dream", {"octaves": 1, "steps": 3, "size": 28, "jitter": 3}, True),
        ("feature_inversion", {"steps": 3}, True),
    ],
)
def test_a_picture_made_in_other_bounds_is_the_same_picture(pair, name, parameters, given):
    unit, own = pair
    asked = [] if name in {"deep_dream", "feature_inversion", "caricature"} else [1]
    want = crosslens.method(name, **parameters)(unit, *([UNIT[:1]] if given else [None]), *asked)
    got = crosslens.method(name, **parameters)(own, *([OWN[:1]] if given else [None]), *asked)
    back = (got.images - LOW) / (HIGH - LOW)
    np.testing.assert_allclose(back, want.images, atol=2e-3)
    assert np.abs(got.picture().astype(int) - want.picture().astype(int)).max() <= 1
    if got.starts is not None:
        np.testing.assert_allclose(got.starts, OWN[:1], atol=1e-5)
    if got.mask is not None:
        assert np.abs(got.masked() - (LOW + (HIGH - LOW) * want.masked())).max() < 2e-2


def test_a_guide_and_a_style_given_as_arrays_live_in_the_bounds(pair):
    unit, own = pair
    dream = {"octaves": 1, "steps": 2, "size": 28, "jitter": 3}
    want = crosslens.method("deep_dream", guide=UNIT[1], **dream)(unit, UNIT[:1]).images
    got = crosslens.method("deep_dream", guide=OWN[1], **dream)(own, OWN[:1]).images
    np.testing.assert_allclose((got - LOW) / (HIGH - LOW), want, atol=2e-3)


def test_pictures_are_loaded_into_the_bounds_and_drawn_from_them(pair, tmp_path):
    unit, own = pair
    pixels = np.random.default_rng(3).integers(0, 256, (40, 44, 3), np.uint8)
    pixels[:4], pixels[4:8] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "p.png")
    seen = load_image(tmp_path / "p.png", like=own, crop=1)
    np.testing.assert_allclose(seen, LOW + (HIGH - LOW) * load_image(tmp_path / "p.png", like=unit, crop=1), rtol=1e-6)
    wide = crosslens.wrap(nn.Conv2d(3, 2, 3), bounds=(0, 255))
    whole = load_image(tmp_path / "p.png", like=wide, whole=True)
    assert (whole.min(), whole.max()) == (0, 255)
    np.testing.assert_array_equal(whole[0].transpose(1, 2, 0).round(), pixels)
    cam = crosslens.method("grad_cam")
    np.testing.assert_array_equal(cam(own, OWN, 1).picture(), cam(unit, UNIT, 1).picture())
    save_image(whole, tmp_path / "again.png", bounds=(0, 255))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "again.png")), pixels)


def test_what_lies_outside_the_bounds_is_refused(pair):
    _, own = pair
    with pytest.raises(ImageError, match=r"float32 in \[-1, 3\]"):
        crosslens.method("gradient")(own, OWN + 1)
    with pytest.raises(ParameterError, match="within -1 and 3"):
        crosslens.method("occlusion", window=8, stride=8, fill=4.0)(own, OWN)
    with pytest.raises(ComparisonError, match="different ranges"):
        crosslens.compare(list(pair), crosslens.method("gradient"), UNIT)
