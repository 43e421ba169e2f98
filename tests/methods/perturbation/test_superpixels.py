"""Superpixels, LIME and Kernel SHAP: exact on targets that are linear in superpixels; Shapley values by brute force."""

import sys
from itertools import combinations
from math import factorial

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import Objective
from crosslens.plugins import method
from crosslens.testing import TinyModel

TARGET = 2
RNG = np.random.default_rng(3)
THREE = RNG.integers(0, 3, (8, 8)) * 10
"""Superpixels in pieces, numbered with gaps."""


class Linear(Objective):
    """<w, x>: linear in superpixels where what covers them is black."""

    layers = frozenset({INPUT})

    def __init__(self, w):
        self.w = w

    def value(self, activations):
        return (activations[INPUT] * self.w).sum(axis=(1, 2, 3))

    def cotangents(self, activations):
        raise AssertionError("no gradient is needed")


@pytest.fixture
def image():
    return np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)


def scores_by_hand(model, image, segments, left, cover):
    """The target where only the superpixels in each row of `left` are left, one after the other."""
    shown = [np.where(np.isin(segments, np.flatnonzero(row)), image, cover).astype(np.float32) for row in left]
    return np.array([model.forward(x)[OUTPUT][0, TARGET] for x in shown], np.float64)


@pytest.mark.parametrize(("name", "options"), [("lime", {"penalty": 0.0}), ("kernel_shap", {})])
@pytest.mark.parametrize("superpixels", ["grid", "slic", np.kron(THREE, np.ones((4, 4), int))])
def test_a_target_linear_in_superpixels_is_recovered(name, options, superpixels):
    image = np.random.default_rng(0).random((1, 3, 32, 32)).astype(np.float32)
    w = np.random.default_rng(1).normal(size=(3, 32, 32))
    tried = method(name, superpixels=superpixels, segments=9, samples=120, fill="black", **options)
    found = tried(TinyModel(size=32), image, Linear(w))
    segments, parts = found.segments[0], (w * image[0]).sum(axis=0)
    assert set(segments.ravel()) == set(range(segments.max() + 1))
    expected = np.stack([np.where(segments == k, parts[segments == k].sum(), 0) for k in range(segments.max() + 1)])
    np.testing.assert_allclose(found.values[0], expected.sum(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.rest, 0, atol=1e-4)
    np.testing.assert_allclose(found.fit, 1, atol=1e-5)


def test_the_lasso_without_penalty_is_least_squares(image):
    options = {"superpixels": "grid", "segments": 6, "samples": 100, "penalty": 0.0}
    found = [method("lime", regression=r, **options)(TinyModel(), image, TARGET).values for r in ("lasso", "ridge")]
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-6)


def lime_draws(samples, count, seed):
    """Section 3.3 of the paper: how many superpixels are left is uniform, and which."""
    rng, left = np.random.default_rng(seed), np.zeros((samples, count))
    for row in left:
        row[rng.permutation(count)[: rng.integers(1, count + 1)]] = 1
    return left


def test_lime_is_the_papers_weighted_ridge_regression(image):
    model = TinyModel()
    options = {
        "fill": "grey",
        "superpixels": "grid",
        "segments": 6,
        "samples": 60,
        "penalty": 0.02,
        "width": 0.4,
        "seed": 5,
    }
    found = method("lime", **options)(model, image, TARGET)
    z = lime_draws(60, 6, 5)
    y = scores_by_hand(model, image, found.segments[0], z, 0.5)
    whole = np.ones(6)
    distance = [1 - row @ whole / (np.linalg.norm(row) * np.linalg.norm(whole)) for row in z]
    near = np.exp(-np.square(distance) / 0.4**2)
    near /= near.sum()
    rows = np.sqrt(near)[:, None] * np.c_[np.ones(60), z]
    system = np.r_[rows, np.c_[np.zeros(6), np.sqrt(0.02) * np.eye(6)]]
    solution = np.linalg.lstsq(system, np.r_[np.sqrt(near) * y, np.zeros(6)], rcond=None)[0]
    np.testing.assert_allclose(found.values[0], solution[1:][found.segments[0]], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.rest, solution[:1], rtol=1e-4)
    left_over = near @ (y - solution[0] - z @ solution[1:]) ** 2 / (near @ (y - near @ y) ** 2)
    np.testing.assert_allclose(found.fit, 1 - left_over, atol=1e-4)


def test_the_lasso_keeps_the_conditions_of_a_minimum_and_leaves_superpixels_out(image):
    """Where w is not 0 the loss pulls with the threshold, against w's sign; elsewhere with less."""
    model = TinyModel()
    options = {
        "fill": "grey",
        "superpixels": "grid",
        "segments": 16,
        "samples": 80,
        "penalty": 0.3,
        "regression": "lasso",
        "seed": 5,
    }
    found = method("lime", **options)(model, image, TARGET)
    segments, z = found.segments[0], lime_draws(80, 16, 5)
    y = scores_by_hand(model, image, segments, z, 0.5)
    near = np.exp(-((1 - np.sqrt(z.mean(axis=1))) ** 2) / 0.25**2)
    near /= near.sum()
    a, b = z - near @ z, y - near @ y
    values = np.array([found.values[0][segments == k][0] for k in range(16)], np.float64)
    threshold = 0.3 * np.abs(a.T @ (near * b)).max()
    pull = a.T @ (near * (b - a @ values))
    kept = values != 0
    assert 0 < kept.sum() < 16
    np.testing.assert_allclose(pull[kept], threshold * np.sign(values[kept]), rtol=1e-3)
    assert (np.abs(pull[~kept]) <= threshold * 1.001).all()


def shapley_by_brute_force(value, count):
    """Over all coalitions without k: the mean gain of k's joining, each size counting the same."""
    found = np.zeros(count)
    for k in range(count):
        others = [j for j in range(count) if j != k]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for coalition in combinations(others, size):
                found[k] += weight * (value({*coalition, k}) - value({*coalition}))
    return found


def values_of_coalitions(model, image, segments, cover):
    """The target by coalition, asked once for each."""
    count = segments.max() + 1
    every = np.arange(2**count)[:, None] >> np.arange(count) & 1
    scores = scores_by_hand(model, image, segments, every, cover)
    return lambda coalition: scores[sum(1 << k for k in coalition)]


@pytest.mark.parametrize("superpixels", ["grid", THREE])
def test_kernel_shap_over_all_coalitions_is_the_shapley_value(image, superpixels):
    model = TinyModel()
    found = method("kernel_shap", superpixels=superpixels, segments=6, samples=62, fill="grey")(model, image, TARGET)
    segments = found.segments[0]
    value = values_of_coalitions(model, image, segments, 0.5)
    expected = shapley_by_brute_force(value, segments.max() + 1)
    np.testing.assert_allclose(found.values[0], expected[segments], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.rest, value(set()), rtol=1e-5)


@pytest.mark.parametrize("samples", [40, 300])
def test_kernel_shap_adds_up_to_the_image_less_its_cover(image, samples):
    model = TinyModel()
    found = method("kernel_shap", superpixels="grid", segments=9, samples=samples, fill="mean")(model, image, TARGET)
    one_each = np.unique(found.segments[0], return_index=True)[1]
    total = found.values[0].ravel()[one_each].sum()
    blank = np.broadcast_to(image.mean(axis=(2, 3), keepdims=True), image.shape).astype(np.float32)
    difference = [model.forward(x)[OUTPUT][0, TARGET] for x in (image, blank)]
    np.testing.assert_allclose(total, difference[0] - difference[1], rtol=1e-4, atol=1e-6)


def test_drawn_coalitions_come_near_the_shapley_value(image):
    model, options = TinyModel(), {"superpixels": "grid", "segments": 9}
    exact = method("kernel_shap", samples=510, **options)(model, image, TARGET).values
    drawn = method("kernel_shap", samples=400, **options)(model, image, TARGET).values
    assert not np.array_equal(exact, drawn)
    np.testing.assert_allclose(drawn, exact, atol=0.05 * np.abs(exact).max())


def test_a_covered_superpixel_can_show_its_own_mean(image):
    model = TinyModel()
    found = method("kernel_shap", superpixels=THREE, samples=6, fill="superpixel")(model, image, TARGET)
    cover = image.copy()
    for label in np.unique(THREE):
        cover[:, :, label == THREE] = image[:, :, label == THREE].mean(axis=2, keepdims=True)
    np.testing.assert_allclose(found.rest, model.forward(cover)[OUTPUT][:, TARGET], rtol=1e-4)


@pytest.mark.parametrize(("size", "count", "shape"), [((8, 8), 16, (4, 4)), ((8, 16), 8, (2, 4)), ((7, 9), 4, (2, 2))])
def test_a_grid_has_about_square_cells(size, count, shape):
    from crosslens.methods.perturbation._segmentation import _grid

    labels = _grid(size, count)
    assert labels.shape == size
    assert sorted(set(labels.ravel())) == list(range(shape[0] * shape[1]))
    assert len(set(labels[:, 0])) == shape[0]


def test_slic_follows_colours():
    image = np.zeros((1, 3, 32, 32), np.float32)
    image[:, :, :, 20:] = 1
    found = method("lime", segments=8, samples=20)(TinyModel(size=32), image, TARGET)
    black, white = set(found.segments[0][:, :20].ravel()), set(found.segments[0][:, 20:].ravel())
    assert not black & white


def test_superpixels_come_from_a_file_too(image, tmp_path):
    np.save(tmp_path / "pieces.npy", THREE)
    of_array = method("lime", superpixels=THREE, samples=50)(TinyModel(), image, TARGET)
    of_file = method("lime", superpixels=str(tmp_path / "pieces.npy"), samples=50)(TinyModel(), image, TARGET)
    np.testing.assert_array_equal(of_file.values, of_array.values)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(ParameterError, match=r"no superpixels can be read from '.*': .*; numpy.save writes them"):
        method("lime", superpixels=str(tmp_path / "text.npy"))(TinyModel(), image, TARGET)
    with pytest.raises(ParameterError, match=r"no array of superpixels at 'gone.npy': the file does not exist"):
        method("lime", superpixels="gone.npy")(TinyModel(), image, TARGET)


def test_slic_without_scikit_image_says_what_to_do(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(ParameterError, match="pip install scikit-image, or give superpixels='grid'"):
        method("lime")(TinyModel(), image, TARGET)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lime", {"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ("kernel_shap", {"samples": float("inf")}, "samples is inf; it must be a whole number, at least 1"),
        ("lime", {"segments": 1}, "segments is 1; it must be a whole number, at least 2"),
        ("lime", {"superpixels": "slick"}, "no superpixels 'slick'; there are slic, grid, quickshift, and arrays"),
        ("lime", {"superpixels": np.zeros((8, 8), int)}, "the whole image is one superpixel"),
        (
            "lime",
            {"superpixels": np.zeros((4, 4), int)},
            r"superpixels are int64 \(4, 4\); they must be integers \(8, 8\)",
        ),
        ("lime", {"regression": "forest"}, "regression is 'forest'; it must be ridge or lasso"),
        ("lime", {"width": 0.0}, "width is 0.0; it must be a number, above 0"),
        (
            "lime",
            {"penalty": 1.0, "regression": "lasso"},
            "penalty is 1.0; as a share, for the lasso, it must be below 1",
        ),
        ("kernel_shap", {"samples": 20, "segments": 16}, "samples is 20; 16 superpixels need at least 32"),
    ],
)
def test_wrong_parameters_are_refused(image, name, options, message):
    with pytest.raises(ParameterError, match=message):
        method(name, **{"superpixels": "grid", "segments": 6, **options})(TinyModel(), image, TARGET)
