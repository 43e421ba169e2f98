"""Descent with momentum: its recurrence by hand, its bounds, and what a gradient of nothing but rounding does."""

import numpy as np
from crosslens.optim.adam import Adam
from crosslens.optim.loop import optimise
from crosslens.optim.momentum import Momentum

GOAL = np.asarray([0.2, 0.9, 1.4])


def bowl(x, step):
    return np.sum((x - GOAL) ** 2, keepdims=True) / 2, x - GOAL


def test_it_is_the_recurrence_of_a_running_mean():
    x, mean = np.full(3, 0.5), None
    for _ in range(7):
        slope = x - GOAL
        mean = slope if mean is None else 0.9 * mean + 0.1 * slope
        x = np.clip(x - 0.3 * mean, 0, 1)
    found, _ = optimise(bowl, np.full(3, 0.5), 7, optimiser=Momentum(0.3))
    np.testing.assert_allclose(found, x, rtol=1e-12)


def test_it_finds_the_least_point_within_its_bounds():
    found, losses = optimise(bowl, np.full(3, 0.5), 300, optimiser=Momentum(0.3))
    np.testing.assert_allclose(found, [0.2, 0.9, 1.0], atol=1e-6)
    assert losses[-1] < losses[0]


def test_a_gradient_of_rounding_moves_next_to_nothing_where_adam_goes_far():
    rng = np.random.default_rng(0)
    sign = rng.choice([-1.0, 1.0], 50)

    def flat(x, step):
        return np.zeros(1), 1e-7 * sign

    start = np.full(50, 0.5)
    calm, _ = optimise(flat, start, 100, optimiser=Momentum(0.1))
    wild, _ = optimise(flat, start, 100, optimiser=Adam(0.05, bounds=(0.0, 1.0)))
    assert np.abs(calm - start).max() < 1e-5
    assert np.abs(wild - start).min() > 0.4
