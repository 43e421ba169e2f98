"""Cells of a grid over points against percentiles and floors taken one point at a time."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.layouts.cells import grid_cells


def slow(points, cells):
    """Rows from the top and columns, of points that are all known."""
    found = []
    for axis, sign in ((1, -1), (0, 1)):
        values = [sign * float(each[axis]) for each in points]
        low, high = np.percentile(values, 1), np.percentile(values, 99)
        low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
        inside = [min(max(value, low), high) for value in values]
        first, last = min(inside), max(inside)
        found.append([min(int((value - first) / (last - first) * cells), cells - 1) for value in inside])
    return np.array(found).T


def test_cells_are_those_of_the_paper_one_point_at_a_time():
    points = np.random.default_rng(0).normal(size=(300, 2))
    points[7] = 50.0, -50.0
    assert grid_cells(points, 5).tolist() == slow(points, 5).tolist()


def test_a_far_point_does_not_make_the_rest_small():
    points = np.random.default_rng(0).random((300, 2))
    points[0] = 1e6, 0.5
    assert len(np.unique(grid_cells(points, 4)[1:, 1])) == 4


def test_the_first_row_is_the_top_and_points_without_a_place_have_no_cell():
    assert grid_cells(np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 0.0]]), 2).tolist() == [[1, 0], [0, 1], [-1, -1]]


def test_points_in_one_place_lie_in_one_cell():
    assert grid_cells(np.ones((3, 2)), 3).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize(("points", "cells"), [(np.zeros((2, 3)), 2), (np.zeros((2, 2)), 0)])
def test_what_is_no_grid_is_refused(points, cells):
    with pytest.raises(ParameterError, match=r"a grid (takes points of a plane|has at least 1 cell)"):
        grid_cells(points, cells)
