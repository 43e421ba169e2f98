"""Preprocessing presets against their published numbers."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model.preprocessing import PRESETS, Preprocess, preprocessing


def applied(preprocess, x):
    gain, offset = preprocess.affine(3)
    return gain * (x[::-1] if preprocess.reverses else x) + offset


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("imagenet", [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]),
        ("tf", [-0.6, -0.2, 0.2]),
        ("caffe", [153 - 103.939, 102 - 116.779, 51 - 123.68]),
        ("unit", [0.2, 0.4, 0.6]),
        ("raw255", [51, 102, 153]),
        ("lite", [(51 - 127) / 128, (102 - 127) / 128, (153 - 127) / 128]),
    ],
)
def test_presets_do_what_their_networks_were_trained_on(preset, expected):
    np.testing.assert_allclose(applied(PRESETS[preset], np.array([0.2, 0.4, 0.6])), expected, rtol=1e-5, atol=1e-5)


def test_keywords_make_a_preprocessing():
    assert preprocessing({"scale": 2, "mean": 1, "order": "L"}) == Preprocess(scale=2, mean=(1.0,), order="L")
    assert preprocessing(None).identity


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("imagnet", r"no preprocess preset 'imagnet'; there are imagenet, .*Did you mean 'imagenet'"),
        ({"std": 0}, r"std is \(0.0,\); each number must be finite and not zero"),
        ({"order": "GBR"}, "order is 'GBR'; it can be 'RGB', 'BGR' or 'L'"),
        ({"men": 0}, "preprocess has no men; it takes scale, mean, std and order"),
    ],
)
def test_wrong_preprocessing_is_refused(spec, message):
    with pytest.raises(ParameterError, match=message):
        preprocessing(spec)


def test_the_number_of_channels_must_fit():
    with pytest.raises(ParameterError, match="is for 3 channels; this model's images have 1: give preprocess=None or"):
        PRESETS["imagenet"].affine(1)


def test_none_can_be_written_on_a_command_line():
    assert preprocessing("None") == preprocessing("none") == preprocessing(None)
