"""Points as discs: their places and colours, those behind others, legends; colours of classes for every eye."""

from itertools import combinations

import numpy as np
import pytest
from crosslens.sheets.class_colours import class_colours
from crosslens.sheets.point_picture import UNKNOWN, Camera, classes_of, colours_of, drawn_points, legend


def test_a_disc_lies_where_its_point_is_in_the_colour_of_its_class():
    points = np.array([[-1.0, 1], [1, -1], [np.nan, 0]])
    pixels = drawn_points(points, class_colours(3), Camera.of(points), 100)
    assert pixels.shape == (100, 100, 3)
    assert pixels[2, 2].tolist() == class_colours(3)[0].tolist()
    assert pixels[97, 97].tolist() == class_colours(3)[1].tolist()
    assert (pixels[50, 50] == 255).all()


def test_in_space_the_nearer_point_covers_the_farther_one():
    camera = Camera((0, 0, 0), 2.0, 2.0)
    toward = np.array([0, np.sin(0.35), np.cos(0.35)])
    for order in (1, -1):
        colours = class_colours(2)[::order]
        pixels = drawn_points(np.array([toward, -toward])[::order], colours, camera, 100)
        assert np.abs(pixels[50, 50].astype(int) - class_colours(2)[0]).max() < 80


def test_classes_beyond_ten_have_colours_of_their_own():
    assert len({tuple(each) for each in class_colours(40).tolist()}) == 40
    assert legend([], class_colours(0), 50).shape == (50, 0, 3)
    assert legend([f"class {n}" for n in range(99)], class_colours(99), 200).shape[0] == 200
    assert UNKNOWN not in {tuple(each) for each in class_colours(40).tolist()}


def test_points_that_are_strong_lie_over_the_others_which_are_pale():
    points = np.array([[0.0, 0], [0, 0], [1, 1], [-1, -1]])
    strong = np.array([True, False, False, False])
    pixels = drawn_points(points, class_colours(4), Camera.of(points), 100, strong=strong)
    assert pixels[50, 50].tolist() == class_colours(4)[0].tolist()
    behind = pixels[2, 97].astype(int)
    assert (behind > class_colours(4)[2]).all()
    assert behind.max() - behind.min() > 20


def test_classes_are_in_the_order_of_their_numbers_and_those_without_are_grey():
    assert classes_of(["10", "9", "", "9"]) == ("9", "10")
    assert classes_of(["b", "a", "10"]) == ("10", "a", "b")
    np.testing.assert_array_equal(colours_of(["10", "", "9"]), [class_colours(2)[1], UNKNOWN, class_colours(2)[0]])


def linear(colours):
    share = np.float64(colours) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(colours):
    """CIELAB by scikit-image, of linear light."""
    from skimage.color import xyz2lab

    matrix = [[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]]
    return xyz2lab(linear(colours) @ np.array(matrix).T) if colours.dtype == np.uint8 else None


def nearest(places):
    return min(np.linalg.norm(a - b) for a, b in combinations(places, 2))


DEFICIENT = {  # Machado, Oliveira and Fernandes 2009, severity 1.0, on linear light
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", DEFICIENT)
def test_ten_colours_are_told_apart_by_the_colour_blind(kind):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    seen = (linear(class_colours(10)) @ np.array(DEFICIENT[kind]).T).clip(0, 1)
    gamma = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    assert nearest(lab((255 * gamma).round().astype(np.uint8))) > 9


@pytest.mark.parametrize(("count", "apart"), [(10, 18), (20, 18), (40, 18), (100, 12)])
def test_colours_of_many_classes_differ_more_than_hues_do(count, apart):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    from colorsys import hsv_to_rgb

    hues = np.array([hsv_to_rgb(n / count, 1, 1) for n in range(count)])
    assert nearest(lab(class_colours(count))) > apart
    assert count == 10 or nearest(lab(class_colours(count))) > 1.5 * nearest(lab((255 * hues).astype(np.uint8)))


def test_a_legend_names_those_that_have_room_and_says_how_many_more_there_are():
    few, many = (legend([f"class {n}" for n in range(count)], class_colours(count), 300) for count in (5, 60))
    assert few.shape[0] == many.shape[0] == 300
    coloured = [n for n, each in enumerate(class_colours(60)) if (many == each).all(axis=2).sum() > 50]
    assert coloured == list(range(len(coloured)))
    assert len(coloured) < 25
    last = np.flatnonzero((many < 255).any(axis=(1, 2))).max()
    assert (many[last - 8 : last, :12] == 255).all()  # a line of text without a colour


def test_colours_that_repeat_are_few():
    assert len(np.unique(class_colours(1000), axis=0)) == 1000
    assert class_colours(5000).shape == (5000, 3)
