"""Likeness to given activations: values as their formulas say, cotangents as differences say."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError, ParameterError
from crosslens.objective import likeness, nearest

RNG = np.random.default_rng(0)
A = RNG.normal(size=(2, 3, 4, 5))
T = A + 0.5 * RNG.normal(size=A.shape)
GUIDE = RNG.normal(size=(1, 3, 2, 6))


def differences(objective, a, step=1e-6):
    slopes = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        nudge = np.zeros_like(a)
        nudge[place] = step
        slopes[place] = (objective.value({"l": a + nudge}) - objective.value({"l": a - nudge})).sum() / (2 * step)
    return slopes


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_likeness_is_the_dot_product_times_the_cosines_power(power):
    values = likeness("l", T, power).value({"l": A})
    for n in range(2):
        a, t = A[n].ravel(), T[n].ravel()
        cosine = (a @ t) / np.linalg.norm(a) / np.linalg.norm(t)
        assert values[n] == pytest.approx((a @ t) * cosine**power)
    against = likeness("l", -T, power).value({"l": A})
    np.testing.assert_allclose(against, -(A * T).sum(axis=(1, 2, 3)) * 0.1**power)


@pytest.mark.parametrize(
    "objective", [likeness("l", T, 2.0), likeness("l", T, 0.0), likeness("l", -T, 2.0), nearest("l", GUIDE)]
)
def test_cotangents_are_the_derivative(objective):
    np.testing.assert_allclose(objective.cotangents({"l": A})["l"], differences(objective, A), rtol=1e-5, atol=1e-6)


def test_nearest_is_each_positions_largest_dot_product_with_any_of_the_guides():
    slow = [
        sum(
            max(A[n, :, i, j] @ GUIDE[0, :, k, m] for k in range(2) for m in range(6))
            for i in range(4)
            for j in range(5)
        )
        for n in range(2)
    ]
    np.testing.assert_allclose(nearest("l", GUIDE).value({"l": A}), slow)


@pytest.mark.parametrize("objective", [likeness("l", T.astype(np.float32)), nearest("l", GUIDE.astype(np.float32))])
def test_any_array_namespace_gives_what_numpy_gives(objective):
    a = A.astype(np.float32)
    got = objective.cotangents({"l": strict.asarray(a)})["l"]
    np.testing.assert_allclose(as_numpy(got), objective.cotangents({"l": a})["l"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        as_numpy(objective.value({"l": strict.asarray(a)})), objective.value({"l": a}), rtol=1e-5
    )


def test_a_selected_image_keeps_its_own_reference():
    np.testing.assert_allclose(
        likeness("l", T).select(1, 2).value({"l": A[1:]}), likeness("l", T).value({"l": A})[1:], rtol=1e-12
    )


def test_activations_of_another_shape_and_a_negative_power_are_refused():
    with pytest.raises(
        LayerError, match=r"the reference of likeness\('l'\) has shape \(2, 3, 4, 5\); the layer gives \(2, 3, 4, 4\)"
    ):
        likeness("l", T).value({"l": A[..., :4]})
    with pytest.raises(LayerError, match=r"the guide of nearest\('l'\) has shape \(2, 3, 4, 5\); .* both must be maps"):
        nearest("l", T).value({"l": A})
    with pytest.raises(ParameterError, match="power is -1; it must be a number, at least 0"):
        likeness("l", T, -1)
