"""Boxes, IoU and the pointing game on planted maps, where the answer is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.method import Method
from crosslens.methods.evaluation._boxes import Box, iou, otsu
from crosslens.plugins import method
from crosslens.result import Attribution
from crosslens.testing import TinyModel


@dataclass(frozen=True, kw_only=True)
class Given(Method):
    """A method that says what it is told."""

    name = "given"
    maps: object = None

    def run(self, model, images, objective, progress):
        return Attribution(self.maps[: images.shape[0]])


def planted():
    """Two blobs of 40 x 40 pixels: a large one with a weak rim, and a small bright one."""
    values = np.zeros((1, 40, 40), np.float32)
    values[0, 4:20, 6:30] = 0.5
    values[0, 3, 6:30] = 0.15
    values[0, 30:34, 32:38] = 1.0
    return values


def localised(maps=None, **options):
    images = np.random.default_rng(0).random((1 if maps is None else len(maps), 3, 40, 40)).astype(np.float32)
    maps = planted() if maps is None else maps
    return method("localise", method=Given(maps=maps), **options)(TinyModel(size=40), images, 1)


def test_the_box_lies_around_the_component_that_holds_most():
    assert localised().boxes == ((Box(6, 4, 30, 20),),)


def test_all_components_are_given_the_one_that_holds_most_first():
    assert localised(components="all").boxes == ((Box(6, 4, 30, 20), Box(32, 30, 38, 34)),)


@pytest.mark.parametrize(
    ("threshold", "box"),
    [(0.1, (6, 3, 30, 20)), (0.2, (6, 4, 30, 20)), (0.6, (32, 30, 38, 34)), ("otsu", (6, 4, 30, 20))],
)
def test_the_threshold_is_a_share_of_the_largest_value(threshold, box):
    assert localised(threshold=threshold).boxes == ((Box(*box),),)


def test_diagonal_neighbours_are_one_component():
    values = np.zeros((1, 40, 40), np.float32)
    values[0, 5:10, 5:10] = values[0, 10:15, 10:15] = 1
    assert localised(values).boxes == ((Box(5, 5, 15, 15),),)


def test_otsu_s_level_is_scikit_image_s():
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1, 0.2, 500), rng.normal(3, 0.4, 200)]).clip(0)
    assert otsu(values) == pytest.approx(threshold_otsu(values), abs=values.max() / 256)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1.0),
        ((0, 0, 4, 4), (4, 0, 8, 4), 0.0),
        ((0, 0, 4, 4), (2, 2, 6, 6), 4 / 28),
        ((0, 0, 10, 10), (2, 3, 4, 5), 0.04),
        ((0, 0, 2, 2), (5, 5, 6, 6), 0.0),
    ],
)
def test_iou_counts_pixels(a, b, expected):
    """The oracle paints both boxes."""
    pages = [np.zeros((12, 12), bool), np.zeros((12, 12), bool)]
    for page, (left, top, right, bottom) in zip(pages, (a, b), strict=True):
        page[top:bottom, left:right] = True
    assert (
        iou(Box(*a), Box(*b))
        == iou(Box(*b), Box(*a))
        == pytest.approx((pages[0] & pages[1]).sum() / (pages[0] | pages[1]).sum())
    )
    assert iou(Box(*a), Box(*b)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "tolerance", "hit"),
    [
        ((32, 30, 38, 34), 0, 1.0),
        ((0, 0, 10, 10), 15, 0.0),
        ((10, 20, 20, 28), 15, 1.0),
        ((10, 20, 20, 28), 3, 0.0),
        ((10, 20, 20, 28, 31, 29, 33, 31), 0, 1.0),
    ],
)
def test_the_pointing_game_is_won_where_the_largest_value_lies_in_a_right_box(truth, tolerance, hit):
    """The largest value is at column 32, row 30."""
    assert localised(truth=truth, tolerance=tolerance).hits[0] == hit


def test_each_image_has_its_own_truth():
    maps = np.concatenate([planted(), planted()[:, ::-1]])
    result = localised(maps, truth=[[6, 4, 30, 20], [0, 0, 5, 5, 6, 20, 30, 36]], tolerance=0)
    assert result.boxes[1] == (Box(6, 20, 30, 36),)
    np.testing.assert_allclose(result.ious, [1, 1])
    figures = result.figures()
    assert figures["IoU"] == 1
    assert figures["pointing game"] == 0


def test_a_map_without_a_positive_value_gets_no_box_and_says_so():
    result = localised(-np.ones((1, 40, 40), np.float32), truth=(0, 0, 5, 5))
    assert result.boxes == ((),)
    assert result.notes == ("1 of 1 images got no box: no value of their map is positive",)
    assert result.ious[0] == 0


def test_boxes_are_in_image_pixels_whatever_the_map_s_resolution(tmp_path):
    coarse = np.zeros((1, 5, 5), np.float32)
    coarse[0, 1, 3] = 1
    (((left, top, right, bottom),),) = localised(coarse, threshold=0.5).boxes
    assert (left + right) / 2 == 28
    assert (top + bottom) / 2 == 12


def test_the_picture_shows_the_box(tmp_path):
    page = localised().picture()
    assert (page[4, 6:30] == (0, 255, 0)).all()
    assert (page[19, 6:30] == (0, 255, 0)).all()
    assert (page[25, 6:30] != (0, 255, 0)).any(axis=1).all()


def test_it_localises_a_bright_square_that_the_network_looks_for():
    """Units of the first layer of a network whose kernels add everything up: bright is what they answer to."""
    from crosslens.objective import layer

    model = TinyModel(size=40, relu=True)._with_weights(
        {"conv1": {"kernel": np.ones((4, 3, 3, 3), np.float32), "bias": np.full(4, -5, np.float32)}}
    )
    image = np.full((1, 3, 40, 40), 0.1, np.float32)
    image[:, :, 8:20, 12:28] = 1.0
    result = method("localise", method=method("grad_cam", layer="act1"), truth=(12, 8, 28, 20))(
        model, image, layer("act1")
    )
    assert result.ious[0] > 0.7
    assert result.hits[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0; it must be a number, above 0 and at most 1, or otsu"),
        ({"threshold": "half"}, "threshold is 'half'"),
        ({"truth": (1, 2, 3)}, r"truth is \(1, 2, 3\); give left,top,right,bottom in pixels"),
        ({"truth": (5, 5, 5, 9)}, "left < right"),
        ({"truth": [[1, 2, 3, 4], [1, 2, 3, 4]]}, "such a list for each of the 1 images"),
        ({"truth": (5, 5, 500, 9)}, r"truth is \(5, 5, 500, 9\), beyond the image of \d+ x \d+ pixels; give boxes in"),
        ({"truth": (-1, 5, 7, 9)}, "beyond the image"),
        ({"truth": ()}, r"truth is \(\); give left,top,right,bottom in pixels"),
        ({"truth": (float("nan"), 0, 1, 1)}, "truth is .nan, 0, 1, 1.; give left,top,right,bottom in pixels"),
        ({"tolerance": -1}, "tolerance is -1; it must be a whole number, at least 0"),
        ({"components": "none"}, "components is 'none'; it must be largest or all"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        localised(**options)
