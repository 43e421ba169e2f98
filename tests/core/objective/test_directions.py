"""Directions in the space of a layer's channels; their formulas are in test_autograd.py."""

import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.objective import direction, random_direction

MAPS = {"maps": np.random.default_rng(5).normal(size=(3, 4, 5, 6))}


def test_a_random_direction_is_the_same_everywhere_and_of_length_one():
    vectors = np.stack(
        [random_direction("maps", seed).cotangents(MAPS)["maps"][0, :, 0, 0] * 30 for seed in range(500)]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.abs(vectors.mean(axis=0)).max() < 0.1  # no axis is preferred
    assert random_direction("maps", 3) == random_direction("maps", 3)


def test_at_a_layer_of_zeros_the_gradient_is_finite():
    zeros = {"maps": np.zeros((1, 4, 5, 6))}
    assert np.isfinite(direction("maps", np.ones(4), 2.0).cotangents(zeros)["maps"]).all()


def test_a_vector_of_another_length_is_refused_with_the_number_of_channels():
    with pytest.raises(LayerError, match=r"has shape \(1,\); layer 'maps' has 4 channels: give one number per channel"):
        direction("maps", [1.0]).value(MAPS)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_a_vector_of_zeros_is_0_everywhere_and_has_no_gradient(power):
    a = {"a": np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(np.float32)}
    nothing = direction("a", np.zeros(3, np.float32), power)
    np.testing.assert_array_equal(nothing.value(a), 0)
    np.testing.assert_array_equal(nothing.cotangents(a)["a"], 0)


@pytest.mark.parametrize("power", [0.0, 4.0])
def test_a_central_direction_is_that_of_the_position_in_the_middle_alone(power):
    maps = np.random.default_rng(1).standard_normal((2, 4, 5, 6)).astype(np.float32)
    vector = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
    aim = direction("maps", vector, power, central=True)
    expected = []
    for each in maps[:, :, 2, 3]:
        product = float(vector @ each)
        cosine = product / (np.linalg.norm(vector) * np.linalg.norm(each))
        expected.append(product * max(0.1, cosine) ** power)
    np.testing.assert_allclose(aim.value({"maps": maps}), expected, rtol=1e-5)
    gradient = aim.cotangents({"maps": maps})["maps"]
    assert gradient[:, :, 2, 3].any()
    gradient[:, :, 2, 3] = 0
    assert not gradient.any()


def test_a_central_direction_of_tokens_and_vectors_is_that_of_all():
    for shape in ((2, 3, 4), (2, 4)):
        values = {"a": np.random.default_rng(2).standard_normal(shape)}
        central = direction("a", np.ones(4), 2.0, central=True)
        np.testing.assert_array_equal(central.value(values), direction("a", np.ones(4), 2.0).value(values))
