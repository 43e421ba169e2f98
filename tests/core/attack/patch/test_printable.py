"""The printability of a patch: one pixel and one colour at a time, its gradient against differences."""

import numpy as np
import pytest
from crosslens.attack.patch.printable import PRINTABLE, nonprintability
from crosslens.errors import ImageError

RNG = np.random.default_rng(0)
PATCH, MASK = RNG.random((3, 5, 6)), RNG.random((5, 6))


def slowly(patch, mask):
    total = 0.0
    for row in range(patch.shape[1]):
        for column in range(patch.shape[2]):
            total += mask[row, column] * min(np.linalg.norm(patch[:, row, column] - colour) for colour in PRINTABLE)
    return total / mask.sum()


def test_it_is_the_mean_distance_to_the_nearest_printable_colour():
    assert nonprintability(PATCH, MASK)[0] == pytest.approx(slowly(PATCH, MASK), rel=1e-12)


def test_its_gradient_is_the_derivative():
    _, gradient = nonprintability(PATCH, MASK)
    for place in [(0, 0, 0), (1, 3, 2), (2, 4, 5)]:
        step = np.zeros_like(PATCH)
        step[place] = 1e-6
        slope = (slowly(PATCH + step, MASK) - slowly(PATCH - step, MASK)) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-6)


def test_a_patch_of_printable_colours_has_none_and_no_gradient():
    score, gradient = nonprintability(PRINTABLE.T.reshape(3, 5, 6), MASK)
    assert score == pytest.approx(0, abs=1e-12)
    assert not gradient.any()


def test_the_colours_are_paper_inks_and_their_halves():
    assert PRINTABLE.shape == (30, 3)
    eight_bits = {tuple(each) for each in (PRINTABLE * 255).round().astype(int).tolist()}
    assert {(255, 255, 255), (0, 158, 227), (230, 0, 126), (255, 237, 0), (227, 6, 19), (29, 29, 27)} <= eight_bits
    light = ((0.5 * 1.0 + 0.5 * ((227 / 255 + 0.055) / 1.055) ** 2.4) ** (1 / 2.4)) * 1.055 - 0.055
    assert any(abs(colour[2] - light) < 1e-9 for colour in PRINTABLE)  # half cyan: half the light of paper's blue


def test_a_patch_in_grey_is_refused():
    with pytest.raises(ImageError, match="1 channels"):
        nonprintability(PATCH[:1], MASK)
