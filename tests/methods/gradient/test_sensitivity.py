"""Finite differences against gradients; each checks the other."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import OUTPUT
from crosslens.plugins import method
from crosslens.testing import TinyModel

TARGET = 2


@pytest.fixture
def image():
    return np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)


def gradient(model, image, layer):
    return method("gradient", layer=layer)(model, image, TARGET).values


@pytest.mark.parametrize("layer", ["<input>", "conv1", "pool"])
def test_differences_of_each_element_are_the_gradient(image, layer):
    model = TinyModel()
    expected = gradient(model, image, layer)
    found = method("sensitivity", block=1, step=0.05, layer=layer)(model, image, TARGET).values
    np.testing.assert_allclose(found, expected, atol=3e-3 * np.abs(expected).max())


@pytest.mark.parametrize("block", [2, 3, 8])
def test_a_block_has_the_mean_of_its_gradients(image, block):
    model, expected = TinyModel(), np.zeros((3, 8, 8))
    exact = gradient(model, image, "<input>")[0]
    for y in range(0, 8, block):
        for x in range(0, 8, block):
            here = (slice(None), slice(y, y + block), slice(x, x + block))
            expected[here] = exact[here].mean(axis=(1, 2), keepdims=True)
    found = method("sensitivity", block=block, step=0.05)(model, image, TARGET).values[0]
    np.testing.assert_allclose(found, expected, atol=3e-3 * np.abs(expected).max())


def test_random_directions_give_slopes_times_directions(image):
    """Spall 1992, averaged; drawn here as there."""
    model, total = TinyModel(), np.zeros((3, 8, 8))
    for v in np.random.default_rng(4).choice(np.asarray([-1, 1], np.float32), (6, 12)):
        direction = np.kron(v.reshape(3, 2, 2), np.ones((4, 4)))
        scores = [model.forward((image + s * direction).astype(np.float32))[OUTPUT][0, TARGET] for s in (0.1, -0.1)]
        total += (scores[0] - scores[1]) / 0.2 * direction / 16 / 6
    found = method("sensitivity", block=4, step=0.1, directions=6, seed=4)(model, image, TARGET).values[0]
    np.testing.assert_allclose(found, total, rtol=1e-3, atol=1e-3 * np.abs(total).max())


def test_random_directions_converge_to_the_gradient(image):
    model = TinyModel()
    options = {"block": 4, "step": 0.05}
    expected = method("sensitivity", **options)(model, image, TARGET).values
    found = method("sensitivity", directions=4000, **options)(model, image, TARGET).values
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": 0}, "block is 0; it must be a whole number, at least 1, or None"),
        ({"block": 99}, r"block is 99; it must be at most \d+, the longer side"),
        ({"step": 0.0}, "step is 0.0; it must be a number, above 0"),
        ({"directions": 0}, "directions is 0; it must be a whole number, at least 1, or None"),
    ],
)
def test_wrong_parameters_are_refused(image, options, message):
    with pytest.raises(ParameterError, match=message):
        method("sensitivity", **options)(TinyModel(), image, TARGET)
