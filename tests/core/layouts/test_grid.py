"""Points snapped to a grid."""

from itertools import permutations

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.layouts import snapped

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 1600, 1601, 5003])
def test_no_cell_has_two_points_and_only_the_last_row_ends_early(count):
    cells = snapped(np.concatenate([RNG.normal(size=(count // 2, 2)), RNG.normal(size=(count - count // 2, 2)) + 20]))
    columns = int(np.ceil(np.sqrt(count)))
    np.testing.assert_array_equal(np.sort(cells @ [columns, 1]), np.arange(count))


def test_the_exact_assignment_has_the_least_sum_of_squares():
    points = RNG.random((6, 2))
    points[0], points[1] = 0, 1  # a unit square already
    centres = np.array([(row, column / 2) for row in range(2) for column in range(3)])
    down = np.stack([1 - points[:, 1], points[:, 0]], axis=1)
    least = min(((down - centres[list(order)]) ** 2).sum() for order in permutations(range(6)))
    cells = snapped(points, (2, 3))
    assert (((down - cells / [1, 2]) ** 2).sum()) == pytest.approx(least)


@pytest.mark.parametrize("side", [20, 60])
def test_shuffled_cells_of_a_grid_go_back_to_their_places(side):
    """By the exact assignment, and by halving."""
    row, column = np.divmod(RNG.permutation(side * side), side)
    cells = snapped(np.stack([column, -row], axis=1) * 3.5 + 7, (side, side))
    np.testing.assert_array_equal(cells, np.stack([row, column], axis=1))


def test_halving_leaves_cells_free_where_there_are_more():
    cells = snapped(RNG.normal(size=(100, 2)), (50, 80))
    assert len(np.unique(cells, axis=0)) == 100
    assert np.ptp(cells, axis=0).min() > 25


def test_points_of_nan_have_no_cell():
    points = RNG.normal(size=(5, 2))
    points[2] = np.nan
    cells = snapped(points)
    assert (cells[2] == -1).all()
    assert (np.delete(cells, 2, axis=0) >= 0).all()
    assert (snapped(points[2:3]) == -1).all()


def test_points_in_one_place_get_a_cell_each():
    assert len(np.unique(snapped(np.zeros((2000, 2))), axis=0)) == 2000


def test_a_grid_that_is_too_small_and_points_in_space_are_refused():
    with pytest.raises(ParameterError, match="a grid of 2 x 2 cells has no room for 5 points"):
        snapped(RNG.normal(size=(5, 2)), (2, 2))
    with pytest.raises(ParameterError, match=r"points of a plane, .N, 2.; received .5, 3.: lay out dimensions=2"):
        snapped(RNG.normal(size=(5, 3)))
