"""Tiles of large pictures: each pixel is one tile's own, and neighbours overlap."""

import numpy as np
import pytest
from crosslens.synthesis.tiling import overlapping_tiles


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (100, 300), (512, 1000), (2048, 70)])
def test_each_pixel_is_one_windows_own_and_lies_away_from_its_edges(size):
    tile = min(64, size[0]), min(64, size[1])
    count = np.zeros(size)
    for each in overlapping_tiles(size, tile, 0.25):
        owned = each.owns(tile)
        count += each.crop.adjoint(owned)
        for axis, (ends, start) in enumerate(zip((each.rows, each.columns), each.crop.corner, strict=True)):
            inside = start, start + tile[axis]
            assert ends[0] >= 6 or inside[0] == 0
            assert tile[axis] - ends[1] >= 6 or inside[1] == size[axis]
    np.testing.assert_array_equal(count, 1)


def test_positions_of_coarser_maps_are_counted_once_too():
    total = np.zeros((1, 32))
    for each in overlapping_tiles((8, 512), (8, 128), 0.25):
        start = each.crop.corner[1]
        assert start % 16 == 0
        total[:, start // 16 : start // 16 + 8] += each.owns((1, 8))
    np.testing.assert_array_equal(total, 1)


def test_a_picture_no_larger_than_a_window_is_one():
    (whole,) = overlapping_tiles((20, 30), (20, 30), 0.25)
    assert whole.owns((10, 15)).all()
