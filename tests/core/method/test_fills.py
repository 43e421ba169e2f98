"""Fills and baselines: what black, mean, a colour, a file or an array mean for one image."""

import numpy as np
import pytest
from crosslens import save_image
from crosslens.errors import ParameterError
from crosslens.method.baselines import NAMES, baselines
from crosslens.method.fills import fill_image
from crosslens.model.input_spec import InputSpec
from crosslens.testing import TinyModel

IMAGE = np.random.default_rng(1).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)


def model(bounds=(0.0, 1.0)):
    tiny = TinyModel()
    tiny.input = InputSpec((3, 8, 8), bounds=bounds)
    return tiny


@pytest.mark.parametrize(("bounds", "black", "grey", "white"), [((0.0, 1.0), 0, 0.5, 1), ((-1.0, 3.0), -1, 1, 3)])
def test_black_grey_and_white_follow_the_models_bounds(bounds, black, grey, white):
    for name, value in (("black", black), ("grey", grey), ("white", white)):
        assert (fill_image(name, IMAGE, model(bounds), 0) == value).all()


def test_the_mean_is_each_channels_own():
    expected = IMAGE.mean(axis=(2, 3), keepdims=True) + np.zeros_like(IMAGE)
    np.testing.assert_allclose(fill_image("mean", IMAGE, model(), 0), expected, rtol=1e-6)


def test_a_colour_has_a_number_for_each_channel():
    assert fill_image((0.1, 0.2, 0.3), IMAGE, model(), 0)[0, :, 5, 6].tolist() == np.float32([0.1, 0.2, 0.3]).tolist()
    with pytest.raises(ParameterError, match="has 2 numbers; give one, or one for each of 3 channels"):
        fill_image((0.1, 0.2), IMAGE, model(), 0)


def test_noise_is_drawn_by_the_seed_alone():
    first, second = fill_image("noise", IMAGE, model(), 3), fill_image("noise", IMAGE * 0, model(), 3)
    np.testing.assert_array_equal(first, second)
    assert (first != fill_image("noise", IMAGE, model(), 4)).any()


def test_a_layer_is_filled_by_numbers_its_mean_or_a_blur_only():
    assert (fill_image(-7.0, IMAGE, model(), 0, "conv1") == -7).all()
    with pytest.raises(ParameterError, match="the fill 'black' means nothing at layer 'conv1'"):
        fill_image("black", IMAGE, model(), 0, "conv1")


def test_several_baselines_are_stacked_in_order(tmp_path):
    picture = np.full((3, 8, 8), 1.0, np.float32)
    save_image(picture, tmp_path / "white.png")
    array = np.full((2, 3, 8, 8), 0.25, np.float32)
    stacked = baselines(("black", str(tmp_path / "white.png"), "grey"), IMAGE, model(), 0)
    assert stacked.mean(axis=(1, 2, 3)).tolist() == [0, 1, 0.5]
    assert baselines(array, IMAGE, model(), 0).shape == (2, 3, 8, 8)
    assert baselines(NAMES, IMAGE, model(), 0).shape == (len(NAMES), 3, 8, 8)
