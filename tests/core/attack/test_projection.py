"""Projections onto a ball and a box together, and the furthest point of both, against slow solvers."""

import numpy as np
import pytest
from crosslens.attack import Ball
from crosslens.attack.projection import norm_of
from scipy.optimize import linprog, minimize

EPS = {"linf": 0.2, "l2": 0.9, "l1": 1.5}


@pytest.fixture
def cases():
    rng = np.random.default_rng(3)
    centres = rng.random((4, 1, 3, 4), dtype=np.float32)
    centres[0, 0, 0] = 0.0  # no room below
    centres[1, 0, 1] = 1.0  # none above
    return centres, centres + rng.normal(0, 0.8, centres.shape).astype(np.float32)


def quadratic_program(centre, x, norm, eps):
    """The nearest point to x, by sequential quadratic programming on d = up - down with up, down >= 0."""
    n, c, v = centre.size, centre.ravel().astype(float), (x - centre).ravel().astype(float)
    inside = {
        "l2": lambda z: eps**2 - np.sum((z[:n] - z[n:]) ** 2),
        "l1": lambda z: eps - np.sum(z),
    }
    limits = [(0, 1 - each) for each in c] + [(0, each) for each in c]
    if norm == "linf":
        limits = [(0, min(eps, high)) for _, high in limits]
    found = minimize(
        lambda z: np.sum((z[:n] - z[n:] - v) ** 2),
        np.full(2 * n, 0.01),
        jac=lambda z: np.concatenate([2 * (z[:n] - z[n:] - v), -2 * (z[:n] - z[n:] - v)]),
        bounds=limits,
        constraints=[{"type": "ineq", "fun": inside[norm]}] if norm in inside else [],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 2000},
    )
    return c + found.x[:n] - found.x[n:]


@pytest.mark.parametrize("norm", EPS)
def test_projection_is_that_of_a_quadratic_program(cases, norm):
    centres, x = cases
    got = Ball(norm, EPS[norm]).around(centres).project(x)
    for n in range(len(centres)):
        best = quadratic_program(centres[n], x[n], norm, EPS[norm])
        np.testing.assert_allclose(got[n].ravel(), best, atol=2e-5)


@pytest.mark.parametrize("norm", EPS)
def test_what_is_inside_stays(cases, norm):
    centres, _ = cases
    region = Ball(norm, EPS[norm]).around(centres)
    inside = region.random([np.random.default_rng(n) for n in range(4)])
    np.testing.assert_allclose(region.project(inside), inside, atol=1e-7)


@pytest.mark.parametrize("norm", EPS)
def test_no_result_leaves_ball_or_bounds(cases, norm):
    centres, x = cases
    region = Ball(norm, EPS[norm]).around(centres)
    generators = [np.random.default_rng(n) for n in range(4)]
    for made in (
        region.project(x),
        region.furthest(x - 0.5),
        region.step(centres, x - 0.5, 5.0),
        region.random(generators),
    ):
        assert made.dtype == np.float32
        assert made.min() >= 0
        assert made.max() <= 1
        assert (norm_of(made.astype(float) - centres, norm) <= EPS[norm] * (1 if norm == "linf" else 1 + 1e-6)).all()


def test_furthest_in_l1_is_that_of_a_linear_program(cases):
    centres, x = cases
    gradient = x - 0.5
    got = Ball("l1", 1.5).around(centres).furthest(gradient).astype(float)
    for n in range(len(centres)):
        g, c = gradient[n].ravel().astype(float), centres[n].ravel().astype(float)
        best = linprog(
            np.concatenate([-g, g]), A_ub=np.ones((1, 2 * g.size)), b_ub=[1.5], bounds=[(0, u) for u in (*(1 - c), *c)]
        )
        np.testing.assert_allclose((got[n].ravel() - c) @ g, -best.fun, rtol=1e-5)


def test_furthest_in_l2_uses_the_room_that_bounds_leave(cases):
    """By the condition of Karush, Kuhn and Tucker: what is not at a bound is one multiple of the gradient."""
    centres, x = cases
    gradient = (x - 0.5).astype(float)
    got = Ball("l2", 0.9).around(centres).furthest(gradient).astype(float)
    np.testing.assert_allclose(norm_of(got - centres, "l2"), 0.9, rtol=1e-6)
    for n in range(len(centres)):
        free = (got[n] > 1e-6) & (got[n] < 1 - 1e-6)
        ratio = (got[n] - centres[n])[free] / gradient[n][free]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_a_random_start_is_uniform_in_the_ball():
    """The radius to the power of the number of values is uniform in (0, 1)."""
    centres = np.full((2000, 1, 1, 3), 0.5, np.float32)
    for norm in EPS:
        made = Ball(norm, 0.3).around(centres).random([np.random.default_rng(n) for n in range(2000)])
        volume = (norm_of(made.astype(float) - centres, norm) / 0.3) ** 3
        np.testing.assert_allclose(np.quantile(volume, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.04)


def test_without_bounds_nothing_is_cut():
    """captum 0.9's test of FGSM: [2, -9, 9, 1, -3], eps 0.1, the gradient that of class 1."""
    x = np.array([[[[2.0, -9.0, 9.0, 1.0, -3.0]]]], np.float32)
    gradient = np.array([[[[0.0, 1.0, 0.0, 0.0, 0.0]]]], np.float32)
    made = Ball("linf", 0.1).around(x, None).furthest(gradient)
    np.testing.assert_allclose(made, [[[[2.0, -8.9, 9.0, 1.0, -3.0]]]], rtol=1e-6)


def test_an_unknown_norm_and_a_negative_radius_are_refused():
    with pytest.raises(ValueError, match=r"no norm 'l3'.*linf"):
        Ball("l3", 1.0)
    with pytest.raises(ValueError, match=r"eps is -1.*from 0 on"):
        Ball("l2", -1)
