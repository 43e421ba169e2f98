"""What other libraries do to raw values, against arithmetic written out here and against scipy's zoom."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.method import postprocess
from crosslens.method.interpolation import KINDS, resampling_matrix
from crosslens.method.preset import Preset
from scipy.ndimage import zoom

RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
MAPS = RNG.normal(size=(2, 4, 5)).astype(np.float32)
SIZE = (4, 5)


def test_channels_are_joined_by_the_largest_the_mean_or_the_sum():
    np.testing.assert_array_equal(postprocess.channel_max(PIXELS, SIZE), PIXELS.max(axis=1))
    np.testing.assert_allclose(postprocess.channel_mean(PIXELS, SIZE), PIXELS.sum(axis=1) / 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(postprocess.channel_sum(PIXELS, SIZE), PIXELS.sum(axis=1), rtol=1e-6)


def test_signs_are_taken_off_or_negative_values_cut():
    np.testing.assert_array_equal(postprocess.absolute(MAPS, SIZE), np.where(MAPS < 0, -MAPS, MAPS))
    np.testing.assert_array_equal(postprocess.positive(MAPS, SIZE), np.where(MAPS < 0, 0, MAPS))


@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 0.5])
def test_the_unit_range_is_of_each_image_by_itself(epsilon):
    expected = np.stack([(m - m.min()) / (m.max() - m.min() + epsilon) for m in MAPS])
    np.testing.assert_allclose(postprocess.unit_range(epsilon)(MAPS, SIZE), expected, rtol=1e-5, atol=1e-7)


def test_an_image_without_differences_becomes_zeros():
    assert not postprocess.unit_range()(np.full((1, 4, 5), 3.0, np.float32), SIZE).any()
    assert not postprocess.over_largest(np.zeros((1, 4, 5), np.float32), SIZE).any()


def test_each_image_is_divided_by_its_own_largest_value():
    np.testing.assert_allclose(postprocess.over_largest(MAPS, SIZE)[1], MAPS[1] / MAPS[1].max(), rtol=1e-6)


def test_eight_bits_are_whole_numbers_standardised_over_the_whole_batch():
    standard = (MAPS.astype(np.float64) - MAPS.mean(dtype=np.float64)) / MAPS.std(dtype=np.float64)
    expected = np.floor(np.clip(255 * standard, 0, 255))
    assert np.abs(postprocess.eight_bits_of_the_batch(MAPS, SIZE) - expected).max() <= 1


def test_maps_enlarged_with_corners_kept_are_scipys_zoom():
    enlarged = postprocess.resize("corners")(MAPS, (9, 12))
    np.testing.assert_allclose(enlarged, zoom(MAPS, (1, 9 / 4, 12 / 5), order=1), rtol=1e-5, atol=1e-6)


def test_maps_enlarged_to_the_nearest_pixel_repeat_their_values():
    expected = MAPS.repeat(2, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(postprocess.resize("nearest")(MAPS, (8, 15)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_of_an_enlargement_sums_to_one(kind):
    np.testing.assert_allclose(resampling_matrix(5, 13, kind).sum(axis=1), 1, rtol=1e-6)


def test_an_enlargement_that_is_not_known_or_shrinks_is_refused():
    with pytest.raises(ParameterError, match=r"no enlargement 'linaer'; there are linear, .* Did you mean 'linear'\?"):
        resampling_matrix(4, 8, "linaer")
    with pytest.raises(ParameterError, match="maps are only enlarged: from 8 pixels to 4 is smaller"):
        resampling_matrix(8, 4, "linear")


def test_a_preset_applies_its_postprocessing_in_order_and_records_it():
    preset = Preset({"steps": 5}, (postprocess.absolute, postprocess.channel_max), library="other")
    np.testing.assert_array_equal(preset.apply(PIXELS, SIZE), np.abs(PIXELS).max(axis=1))
    assert preset.record() == {"preset": "other", "steps": ["absolute value", "largest over channels"]}
    assert preset.summary() == "steps=5, absolute value, largest over channels"
