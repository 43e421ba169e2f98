"""Random placements: all of the patch is inside, its area is the one asked for, and what does not fit is refused."""

import numpy as np
import pytest
from crosslens.attack.patch.random_placement import RandomPlacement, patch_width
from crosslens.errors import ParameterError
from crosslens.operators import Paste

SIZE = (40, 60)


@pytest.mark.parametrize("shape", ["circle", "square"])
def test_all_of_the_patch_lies_in_the_picture_and_covers_the_area(shape):
    placing, rng = RandomPlacement(0.12, shape, (0.7, 1.2), 180.0), np.random.default_rng(0)
    side = placing.side(SIZE)
    placements = [placing.draw(rng, SIZE, side) for _ in range(100)]
    pasted = Paste(np.zeros((100, 1, *SIZE)), placements, (side, side), shape).apply(np.ones((1, side, side)))
    covered = pasted.sum(axis=(1, 2, 3)) / np.prod(SIZE)
    unit = patch_width(0.12, shape, SIZE) / side
    expected = [0.12 * (each.scale / unit) ** 2 for each in placements]
    np.testing.assert_allclose(covered, expected, rtol=0.02)  # nothing is cut off at the border
    scales = [each.scale / unit for each in placements]
    assert 0.7 <= min(scales) < 0.75
    assert 1.15 < max(scales) <= 1.2
    assert -180 <= min(each.degrees for each in placements) < -150


def test_a_location_is_kept_and_what_is_free_is_drawn_as_without_it():
    fixed = RandomPlacement(0.1, "circle", (0.9, 1.1), 30.0, (0.5, 0.25)).draw(np.random.default_rng(1), SIZE, 10)
    free = RandomPlacement(0.1, "circle", (0.9, 1.1), 30.0).draw(np.random.default_rng(1), SIZE, 10)
    assert (fixed.row, fixed.column) == (20, 15)
    assert (fixed.degrees, fixed.scale) == (free.degrees, free.scale)


def test_what_sticks_out_is_refused_with_what_it_needs():
    RandomPlacement(0.1, "square", rotation=45.0).check(SIZE)
    with pytest.raises(ParameterError, match=r"reaches 2\d\.\d pixels from its middle, .* 40 x 60 .* room for 20\.0"):
        RandomPlacement(0.5, "square", rotation=45.0).check(SIZE)
    with pytest.raises(ParameterError, match=r"at location 0\.1, 0\.5, .* room for 4\.0; .* or another location"):
        RandomPlacement(0.1, "circle", location=(0.1, 0.5)).check(SIZE)
