"""Crops of patched maps against whole maps pasted together and sliced."""

import numpy as np
import pytest
from crosslens.occlusion.patched_maps import PatchedMaps, occluded_image
from crosslens.occlusion.receptive_field import Intervals, Rectangles, box_rectangles


def test_a_crop_shows_the_unchanged_map_with_the_patch_in_it_and_the_fill_beyond():
    rng = np.random.default_rng(0)
    unchanged, patches = rng.random((1, 2, 5, 6)), rng.random((2, 2, 2, 3))
    tops, lefts = np.array([0, 3]), np.array([1, 3])
    maps = PatchedMaps(unchanged, patches, Rectangles(Intervals(tops, 2), Intervals(lefts, 3)))
    crop = maps.crop(Rectangles(Intervals(tops - 1, 4), Intervals(lefts - 2, 7)), fill=-1.0)
    for p in range(2):
        whole = np.full((2, 9, 12), -1.0)
        whole[:, 2:7, 3:9] = unchanged[0]
        whole[:, 2 + tops[p] : 4 + tops[p], 3 + lefts[p] : 6 + lefts[p]] = patches[p]
        np.testing.assert_array_equal(crop[p], whole[:, 1 + tops[p] : 5 + tops[p], 1 + lefts[p] : 8 + lefts[p]])
    np.testing.assert_array_equal(maps.whole()[1, :, 3:5, 3:6], patches[1])


@pytest.mark.parametrize(("top", "rows"), [(0, 5), (-2, 9), (1, 2), (3, 2)])
def test_a_patch_may_cover_the_whole_crop_or_reach_beyond_it(top, rows):
    rng = np.random.default_rng(1)
    unchanged, patches = rng.random((1, 2, 5, 6)), rng.random((1, 2, 4, 6))
    one, left = np.array([1]), np.array([0])
    crop = PatchedMaps(unchanged, patches, Rectangles(Intervals(one, 4), Intervals(left, 6))).crop(
        Rectangles(Intervals(one * top, rows), Intervals(left, 6)), -1.0
    )
    whole = np.full((2, 9, 6), -1.0)
    whole[:, 2:7] = unchanged[0]
    whole[:, 3:7] = patches[0]
    np.testing.assert_array_equal(crop[0], whole[:, 2 + top : 2 + top + rows])


def test_maps_with_channels_last_give_the_same_crops():
    rng = np.random.default_rng(2)
    unchanged, patches = rng.random((1, 2, 5, 6)), rng.random((2, 2, 2, 3))
    at = Rectangles(Intervals(np.array([0, 3]), 2), Intervals(np.array([1, 3]), 3))
    wanted = Rectangles(Intervals(np.array([-1, 2]), 4), Intervals(np.array([0, 1]), 5))
    first = PatchedMaps(unchanged, patches, at).crop(wanted, fill=7.0)
    last = PatchedMaps(unchanged.transpose(0, 2, 3, 1), patches.transpose(0, 2, 3, 1), at, row_axis=1)
    np.testing.assert_array_equal(last.crop(wanted, fill=7.0).transpose(0, 3, 1, 2), first)
    assert last.size == (5, 6)


def test_an_occluded_image_shows_the_cover_in_the_boxes_alone():
    rng = np.random.default_rng(3)
    x, cover = rng.random((1, 3, 7, 8)), rng.random((1, 3, 7, 8))
    boxes = np.array([(0, 2, 5, 8), (3, 7, 0, 4), (6, 7, 7, 8)])
    images = occluded_image(x, cover, boxes, box_rectangles(boxes, (7, 8))).whole()
    for image, (top, bottom, left, right) in zip(images, boxes, strict=True):
        expected = x[0].copy()
        expected[:, top:bottom, left:right] = cover[0, :, top:bottom, left:right]
        np.testing.assert_array_equal(image, expected)
