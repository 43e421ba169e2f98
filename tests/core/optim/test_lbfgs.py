"""L-BFGS against SciPy's on problems with and without bounds, and the conditions that its steps must keep."""

from itertools import pairwise

import numpy as np
import pytest
from crosslens.optim.lbfgs import LBFGS
from crosslens.optim.loop import long_run, optimise
from scipy.optimize import Bounds, minimize, rosen, rosen_der


def quadratic(n=60, seed=0, condition=1e3):
    """0.5 x'Ax - b'x with A positive definite of this condition."""
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(n, n)))
    a, b = (axes * np.geomspace(1, condition, n)) @ axes.T, rng.normal(size=n) * 30
    return lambda x: 0.5 * x @ a @ x - b @ x, lambda x: a @ x - b


def scipys(loss, slope, start, steps, bounds=None):
    within = None if bounds is None else Bounds(*bounds)
    options = {"maxiter": steps, "maxcor": 10, "ftol": 0.0, "gtol": 0.0}
    return minimize(loss, start, jac=slope, method="L-BFGS-B", bounds=within, options=options).fun


def ours(loss, slope, start, steps, bounds=None):
    def evaluate(x, step):
        return np.array([loss(x[0])]), slope(x[0])[None]

    found, history = optimise(evaluate, start[None], steps, optimiser=LBFGS(bounds=bounds))
    return found[0], history[:, 0]


@pytest.mark.parametrize("bounds", [None, (-0.5, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_the_minimum_that_scipys_finds_in_about_as_many_steps(bounds, seed):
    loss, slope = quadratic(seed=seed)
    start = np.random.default_rng(seed).uniform(0.1, 0.4, 60)
    least, begun = scipys(loss, slope, start, 3000, bounds), loss(start)
    found, history = ours(loss, slope, start, 300, bounds)
    assert history[-1] - least < 1e-6 * (begun - least)
    assert history[60] - least < max(10 * (scipys(loss, slope, start, 60, bounds) - least), 1e-3 * (begun - least))
    if bounds is not None:
        assert bounds[0] <= found.min() <= found.max() <= bounds[1]
        assert (np.isin(found, bounds)).sum() > 3


def test_it_comes_through_rosenbrocks_valley_of_twenty_dimensions():
    start = np.tile([-1.2, 1.0], 10)
    found, history = ours(rosen, rosen_der, start, 300)
    np.testing.assert_allclose(found, 1.0, atol=1e-4)
    assert (np.diff(history) <= 0).all()


def test_each_step_keeps_the_wolfe_conditions():
    """Nocedal and Wright 2006, equations 3.6, with 1e-4 and 0.9."""
    loss, slope = quadratic()
    start = np.zeros((1, 60))
    run = long_run(lambda x, step: (np.array([loss(x[0])]), slope(x[0])[None]), start, 20, every=1, optimiser=LBFGS())
    points = [start[0], *(x[0] for _, x in run.snapshots)]
    for here, there in pairwise(points):
        way = there - here
        assert loss(there) <= loss(here) + 1e-4 * slope(here) @ way
        assert slope(there) @ way >= 0.9 * slope(here) @ way


def test_its_memory_holds_as_many_pairs_as_it_is_told():
    loss, slope = quadratic()
    run = long_run(
        lambda x, step: (np.array([loss(x[0])]), slope(x[0])[None]), np.zeros((1, 60)), 9, optimiser=LBFGS(memory=3)
    )
    assert len(run.state.moments) == 6
