"""near: the distance of a layer to a point, against the same written with NumPy; facets in files."""

import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.objective import near


@pytest.mark.parametrize(("shape", "others"), [((2, 3), ()), ((2, 3, 4, 5), (2, 3)), ((2, 6, 3), (1,))])
def test_the_value_is_minus_the_squared_distance_of_the_mean_in_units_of_the_points_length(shape, others):
    rng = np.random.default_rng(0)
    a, v = rng.normal(size=shape), rng.normal(size=3)
    wanted = [-((row - v) ** 2).sum() / (v**2).sum() for row in a.mean(axis=others)]
    np.testing.assert_allclose(near("x", v).value({"x": a}), wanted)
    assert near("x", a.mean(axis=others)[0]).value({"x": a})[0] == pytest.approx(0)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2, 2), (2, 4, 3)])
def test_cotangents_are_the_slopes_of_the_value(shape):
    rng = np.random.default_rng(1)
    a, objective = rng.normal(size=shape), near("x", rng.normal(size=3))
    found, step = objective.cotangents({"x": a})["x"], 1e-6
    for place in np.ndindex(*shape):
        moved = [a.copy(), a.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (objective.value({"x": each}).sum() for each in moved)
        assert found[place] == pytest.approx((up - down) / (2 * step), abs=1e-6)


def test_a_point_of_another_length_is_refused():
    with pytest.raises(LayerError, match="one number per channel"):
        near("x", np.ones(4)).value({"x": np.ones((1, 3))})
