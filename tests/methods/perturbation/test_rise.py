"""RISE against the paper's formula written slowly, and against its expectation on a linear target."""

import tracemalloc

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import Objective
from crosslens.plugins import method
from crosslens.testing import TinyModel


class Linear(Objective):
    """<w, x>: a target whose expectation under masks is known."""

    layers = frozenset({INPUT})
    linear = True

    def __init__(self, w):
        self.w = w

    def value(self, activations):
        return (activations[INPUT] * self.w).sum(axis=(1, 2, 3))

    def cotangents(self, activations):
        raise AssertionError("no gradient is needed")


@pytest.fixture
def image():
    return np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)


def linearly(row, place):
    """A row of cells at a place between their centres; beyond the outer centres it stays what it is there."""
    place = min(max(place, 0), len(row) - 1)
    left = min(int(place), len(row) - 2)
    return row[left] * (1 - place + left) + row[left + 1] * (place - left)


def mask_from_the_paper(rng, side, cells, p):
    """Section 3.2: a small binary mask, enlarged bilinearly to cells + 1 cells along each side, cut out at random."""
    grid = (rng.random((cells, cells)) < p).astype(float)
    cell = -(-side // cells)
    top, left = int(rng.integers(cell)), int(rng.integers(cell))
    scale = cells / ((cells + 1) * cell)
    mask = np.zeros((side, side))
    for y in range(side):
        for x in range(side):
            rows = [linearly(list(row), (x + left + 0.5) * scale - 0.5) for row in grid]
            mask[y, x] = linearly(rows, (y + top + 0.5) * scale - 0.5)
    return mask


@pytest.mark.parametrize(("cells", "p", "fill", "cover"), [(3, 0.5, "black", 0.0), (4, 0.3, 0.25, 0.25)])
def test_rise_is_the_weighted_mean_of_masks(image, cells, p, fill, cover):
    model = TinyModel()
    rng = np.random.default_rng(7)
    masks = [mask_from_the_paper(rng, 8, cells, p) for _ in range(30)]
    scores = [model.forward((image * m + cover * (1 - m)).astype(np.float32))[OUTPUT][0, 2] for m in masks]
    options = {"cells": cells, "p": p, "samples": 30, "seed": 7, "fill": fill}
    found = method("rise", **options, centred=False)(model, image, target=2).values[0]
    expected = sum(s * m for s, m in zip(scores, masks, strict=True)) / (30 * p)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    centred = method("rise", **options)(model, image, target=2).values[0]
    flat = sum((s - np.mean(scores)) * m for s, m in zip(scores, masks, strict=True)) / (30 * p)
    np.testing.assert_allclose(centred, flat, rtol=1e-3, atol=1e-5 * np.abs(flat).max())


def test_masks_of_pictures_have_the_seven_cells_of_the_paper(image):
    found = [method("rise", samples=9, **given)(TinyModel(), image, target=2) for given in ({}, {"cells": 7})]
    np.testing.assert_array_equal(found[0].values, found[1].values)
    assert found[0].provenance["cells"] == [7, 7]


def test_rise_on_a_linear_target_converges_to_its_expectation(image):
    """Cov(S, M_u) / p = (1 - p) sum_v w_v x_v E[r_u . r_v] E[c_u . c_v]; r, c: what cells count in rows and columns."""
    w, cells, p = np.random.default_rng(1).normal(size=(3, 8, 8)), 4, 0.4
    basis = [np.eye(cells)[k] for k in range(cells)]
    scale, along = cells / ((cells + 1) * 2), np.zeros((8, 8))
    for shift in range(2):
        r = np.array([[linearly(list(b), (y + shift + 0.5) * scale - 0.5) for b in basis] for y in range(8)])
        along += r @ r.T / 2
    expected = (1 - p) * along @ (w * image[0]).sum(axis=0) @ along.T
    found = method("rise", cells=cells, p=p, samples=20000)(TinyModel(), image, Linear(w)).values[0]
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_the_batch_size_does_not_change_the_masks(image):
    values = []
    for size in (3, 8):
        model = TinyModel()
        model.batch_size = size
        values.append(method("rise", samples=20, cells=3)(model, image, target=1).values)
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-6)


def test_the_peak_of_memory_does_not_grow_with_the_samples():
    model, image = TinyModel(size=32), np.full((1, 3, 32, 32), 0.5, np.float32)
    model.forward(image)

    def peak(samples):
        tracemalloc.start()
        method("rise", samples=samples, cells=4)(model, image, target=0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(8)  # what is cached at first
    assert peak(240) < 1.1 * peak(16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0.0}, "p is 0.0; it must be a number, above 0 and below 1"),
        ({"p": 1.0}, "p is 1.0"),
        ({"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ({"samples": float("inf")}, "samples is inf; it must be a whole number, at least 1"),
        ({"cells": 9}, "cells is 9; it must be at most 8, the shorter side"),
        ({"fill": "nothing"}, "no fill 'nothing'; give a number"),
    ],
)
def test_wrong_parameters_are_refused(image, options, message):
    with pytest.raises(ParameterError, match=message):
        method("rise", **{"cells": 3, **options})(TinyModel(), image, target=0)
