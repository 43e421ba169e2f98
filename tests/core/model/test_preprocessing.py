"""Preprocessing presets against their published numbers, and the forms in which one can be given."""

import json

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


@pytest.mark.parametrize(
    "text",
    [
        "mean=.485/.456/.406,std=.229/.224/.225",
        "mean=.485,.456,.406,std=.229,.224,.225",
        " std = 0.229 / 0.224 / 0.225 , mean = 0.485, 0.456, 0.406 ",
        '{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}',
    ],
)
def test_the_same_numbers_in_any_form_are_the_same_preprocessing(text):
    pixel = np.array([0.2, 0.4, 0.6])
    expected = [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]
    np.testing.assert_allclose(applied(preprocessing(text), pixel), expected, rtol=1e-5)


def test_bgr_in_text_takes_the_means_in_the_networks_order():
    """Caffe's numbers by hand: blue first, times 255, minus blue's mean 103.939."""
    given = preprocessing("scale=255,mean=103.939/116.779/123.68,order=BGR")
    red, green, blue = 0.2, 0.4, 0.6
    expected = [255 * blue - 103.939, 255 * green - 116.779, 255 * red - 123.68]
    np.testing.assert_allclose(applied(given, np.array([red, green, blue])), expected, rtol=1e-5)
    assert given == PRESETS["caffe"]


def test_one_number_counts_for_all_channels_and_a_scale_may_be_a_fraction():
    assert preprocessing("mean=.3,std=.35") == Preprocess(mean=(0.3,), std=(0.35,))
    assert preprocessing("scale=1/255,order=bgr") == Preprocess(scale=1 / 255, order="BGR")


@pytest.mark.parametrize("preset", [*PRESETS.values(), Preprocess(0.1, (1 / 3, 0, -2), (7.0,), "L")])
def test_the_text_of_a_preprocessing_is_read_as_the_same(preset):
    assert preprocessing(str(preset)) == preset


def test_a_file_is_a_path_or_a_name_that_ends_in_json(tmp_path):
    path = tmp_path / "prep.json"
    path.write_text('{"mean": [0.1, 0.2, 0.3], "std": 0.5}')
    assert preprocessing(path) == preprocessing(str(path)) == Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5,))


HUGGING_FACE = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_processor_type": "ViTImageProcessor",
    "image_std": [0.25, 0.25, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224},
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, [(51 / 255 - 0.5) / 0.25, (102 / 255 - 0.4) / 0.25, (153 / 255 - 0.3) / 0.5]),
        ({"do_normalize": False}, [0.2, 0.4, 0.6]),
        ({"do_rescale": False, "do_normalize": False}, [51, 102, 153]),
        ({"do_flip_channel_order": True}, [(0.6 - 0.5) / 0.25, (0.4 - 0.4) / 0.25, (0.2 - 0.3) / 0.5]),
        ({"rescale_factor": 1 / 127.5, "image_mean": 1.0, "image_std": 1.0}, [-0.6, -0.2, 0.2]),
    ],
)
def test_hugging_faces_file_does_what_its_processor_does_to_pixels_from_0_to_255(changed, expected, tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(HUGGING_FACE | changed))
    pixel = np.array([51, 102, 153])
    np.testing.assert_allclose(applied(preprocessing(path), pixel / 255), expected, atol=1e-6)
    np.testing.assert_allclose(applied(preprocessing(path, (0, 255)), pixel), expected, atol=1e-6)


def test_timms_configuration_is_recognised_alone_and_in_its_file():
    timm = {"input_size": [3, 288, 288], "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    expected = Preprocess(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    assert preprocessing(timm) == preprocessing({"architecture": "resnet", "pretrained_cfg": timm}) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "mean=.3,sdt=.35",
            r"has no 'sdt' \('mean=.3,sdt=.35'\); it takes scale, mean, std, order. Did you mean 'std'",
        ),
        ("mean=a", "gives mean as 'a'; it takes numbers, as .485/.456/.406"),
        ("mean=", "gives mean as ''"),
        ("scale=1/2/3", "gives scale as '1/2/3'; it takes one number"),
        ("scale=0", "the scale not 0"),
        ("mean=nan", "mean is .nan,.; each number must be finite"),
        ("mean=1,mean=2", "gives mean twice"),
        (".5,std=.2", "starts with '.5'; write mean=.5,std=.25"),
        ("order=GRB", "order is 'GRB'; it can be 'RGB', 'BGR' or 'L'"),
        ('{"mean": ', "cannot read a preprocessing from '{\"mean\": '"),
        ({"mean": ["a"]}, "mean is .'a'., where a number or a list of numbers belongs"),
        ({"mean": []}, "mean is .., where a number"),
        ({"scale": "1"}, "scale is '1', where a number"),
        (7, "preprocess is a int; it can be the name of a preset"),
        (
            HUGGING_FACE | {"include_top": True},
            "'include_top' of this preprocessor_config.json is a step that crosslens",
        ),
        ({"do_normalize": True}, "has do_normalize but no 'image_mean', 'image_std'"),
        ("nothing.json", "cannot read a preprocessing from 'nothing.json': No such file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(spec, message):
    with pytest.raises(ParameterError, match=message) as refused:
        preprocessing(spec)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b" " * ((1 << 24) + 1)])
def test_a_file_that_is_no_preprocessing_is_one_clear_error(tmp_path, content):
    path = tmp_path / "prep.json"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match="preprocessing"):
        preprocessing(path)


def test_other_bounds_are_mapped_by_hand_arithmetic():
    """An image in [-1, 1] as one in [0, 255]: 127.5 (x + 1), then minus 100, divided by 50."""
    given = Preprocess(mean=(100.0,), std=(50.0,)).from_bounds((-1.0, 1.0), (0.0, 255.0))
    np.testing.assert_allclose(applied(given, np.array([-1.0, 0.0, 0.6])), [-2.0, 0.55, (127.5 * 1.6 - 100) / 50])


@pytest.mark.parametrize(
    ("text", "bounds", "right"),
    [
        ("mean=124/116/104,std=58/57/57", (0, 1), "scale=255,mean=124/116/104,std=58/57/57"),
        ("mean=127", (0, 1), "scale=255,mean=127"),
        ("mean=.485/.456/.406,std=.229/.224/.225", (0, 255), "scale=1/255,mean=.485/.456/.406,std=.229/.224/.225"),
    ],
)
def test_numbers_for_pixels_of_another_range_are_refused_with_the_right_ones(text, bounds, right):
    with pytest.raises(ParameterError, match="is for pixels") as refused:
        preprocessing(text).refuse_another_range(bounds)
    assert preprocessing(str(refused.value).rpartition('give "')[2][:-1]) == preprocessing(right)
    preprocessing(right).refuse_another_range(bounds)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("bounds", [(0, 1), (0, 255), (-1, 1), (-1000, 400)])
def test_presets_fit_any_range(preset, bounds):
    preprocessing(preset, bounds).refuse_another_range(bounds)
    preprocessing(preset.upper(), bounds).refuse_another_range(bounds)


def test_json_that_holds_nothing_is_refused_and_not_taken_for_no_preprocessing(tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    for spec in ("{}", str(tmp_path / "empty.json")):
        with pytest.raises(ParameterError, match="a preprocessing in JSON holds nothing"):
            preprocessing(spec, None)
