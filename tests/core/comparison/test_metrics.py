"""Agreement figures against SciPy, scikit-image and by hand."""

import numpy as np
import pytest
from crosslens.comparison.metrics import agreement, map_agreement
from crosslens.errors import ComparisonError
from scipy.stats import pearsonr, spearmanr
from skimage.metrics import structural_similarity


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 40))
    return a, a + 0.3 * rng.normal(size=a.shape)


def test_agreement_is_what_its_names_say(pair):
    a, b = pair
    figures = agreement(a, b)
    assert figures["max_relative_difference"] == pytest.approx(np.abs(a - b).max() / np.abs(a).max())
    assert figures["relative_l2"] == pytest.approx(np.sqrt(((a - b) ** 2).sum()) / np.sqrt((a**2).sum()))
    assert figures["correlation"] == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic)
    assert figures["rank_correlation"] == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_equal_values_agree_perfectly_zeros_too():
    perfect = {"max_relative_difference": 0, "relative_l2": 0, "correlation": 1, "rank_correlation": 1}
    for a in (np.arange(6.0), np.zeros(6)):
        assert agreement(a, a) == perfect
        assert map_agreement(a.reshape(2, 3), a.reshape(2, 3)) == {"ssim": 1, "top_k": 1, "pointing": 1}


def test_zeros_against_values_do_not_pass_as_equal():
    figures = agreement(np.zeros(3), np.ones(3))
    assert figures["max_relative_difference"] == float("inf")
    assert (figures["correlation"], figures["rank_correlation"]) == (0, 0)


@pytest.mark.parametrize("measure", [agreement, map_agreement])
def test_values_of_different_shapes_are_refused(measure):
    with pytest.raises(ComparisonError, match=r"values of shape \(2, 2\) and \(3, 2\) cannot be compared"):
        measure(np.zeros((2, 2)), np.zeros((3, 2)))


def test_ssim_is_scikit_images_over_every_place(pair):
    a, b = pair
    span = max(a.max(), b.max()) - min(a.min(), b.min())
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, everywhere = structural_similarity(a, b, data_range=span, full=True, **gaussian)
    assert map_agreement(a, b)["ssim"] == pytest.approx(everywhere.mean(), abs=1e-9)


def test_ssim_does_not_depend_on_the_unit(pair):
    a, b = pair
    assert map_agreement(1e-7 * a, 1e-7 * b)["ssim"] == pytest.approx(map_agreement(a, b)["ssim"])


def test_the_top_is_the_tenth_with_the_largest_values():
    a = np.arange(100.0).reshape(10, 10)
    b = a.copy()
    b[9, :3] = -1  # three of the ten largest of `a` are no longer at the top
    assert map_agreement(a, b)["top_k"] == pytest.approx(0.7)


def test_maps_of_zeros_but_one_place_point_at_it():
    a, b = np.zeros((2, 224, 224))
    a[100, 100] = b[115, 85] = 1
    assert map_agreement(a, b)["pointing"] == 1  # 15 pixels away, along each axis
    b[116, 85] = 2
    assert map_agreement(a, b)["pointing"] == 0


def test_neighbouring_cells_of_a_coarse_map_are_not_the_same_place():
    a, b = np.zeros((2, 7, 7))
    a[3, 3] = b[3, 4] = 1
    assert map_agreement(a, b)["pointing"] == 0
