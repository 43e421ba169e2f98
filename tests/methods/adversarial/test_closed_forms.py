"""On affine networks what attacks do is known in closed form, whatever a network ends in and however it takes images.

The distance from x to the boundary between the class y and another, k, is |f| / |w|_q with f = z_y - z_k,
w = w_y - w_k, z = W x + b for images in [0, 1], and q the dual norm: 2 for L2, 1 for L-inf, infinite for L1; with
several classes the least over k counts. A step to the surface of a ball of radius eps changes f by eps |w|_q.
"""

import numpy as np
import pytest
from crosslens.model.preprocessing import Preprocess
from crosslens.plugins import method
from scipy.optimize import linprog, minimize

from tests.core.attack.affine import AffineModel, sigmoid, softmax

SPACING = 6e-8
"""Of float32 numbers in the middle of an image's bounds, in the unit of [0, 1]."""
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
SHAPE = (3, 5, 4)
MEAN_AND_STD = Preprocess(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
NETWORKS = {
    "two logits": {"classes": 2},
    "seven logits": {"classes": 7},
    "softmax": {"classes": 7, "link": softmax},
    "softmax without a layer of logits": {"classes": 7, "link": softmax, "sealed": True},
    "sigmoid": {"classes": 1, "link": sigmoid},
    "sigmoid without a layer of logits": {"classes": 1, "link": sigmoid, "sealed": True},
    "bounds 0 and 255": {"classes": 7, "bounds": (0.0, 255.0)},
    "bounds -1 and 1": {"classes": 7, "bounds": (-1.0, 1.0)},
    "mean and deviation": {"classes": 7, "preprocess": MEAN_AND_STD},
    "mean and deviation, bounds 0 and 255": {
        "classes": 7,
        "bounds": (0.0, 255.0),
        "preprocess": MEAN_AND_STD.from_bounds((0.0, 255.0)),
    },
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return affine(**NETWORKS[request.param])


def affine(classes, *, bounds=(0.0, 1.0), **options):
    """A network whose logits differ by some units and change by some for a change of 1 in L2."""
    rng = np.random.default_rng(classes)
    model = AffineModel(rng.normal(0, 1, (classes, *SHAPE)), np.zeros(classes), bounds=bounds, **options)
    w, _ = model.in_unit_range()
    model.matrix = model.matrix * 0.7 / w.std()
    w, b = model.in_unit_range()
    model.bias = rng.normal(0, 2.0, classes) - b - w @ np.full(w.shape[1], 0.5)
    return model


def images(model, count=6):
    """Images far from the bounds, in the model's."""
    low, high = model.input.bounds
    x = np.random.default_rng(1).uniform(0.45, 0.55, (count, *SHAPE))
    return (low + (high - low) * x).astype(np.float32)


def margins_and_slopes(model, x):
    """f (N, K - 1) and w (N, K - 1, D): by how much the predicted class leads each other, in [0, 1]."""
    w, b = model.in_unit_range()
    low, high = model.input.bounds
    if len(w) == 1:  # the two classes of a binary network
        w, b = np.concatenate([-w / 2, w / 2]), np.concatenate([-b / 2, b / 2])
    z = (x.reshape(len(x), -1).astype(np.float64) - low) / (high - low) @ w.T + b
    own = z.argmax(axis=1)
    others = np.array([[k for k in range(len(w)) if k != y] for y in own])
    rows = np.arange(len(x))[:, None]
    return z[rows, own[:, None]] - z[rows, others], w[own[:, None]] - w[others]


def distances(model, x, norm):
    """(N,): the least |f| / |w|_q."""
    f, w = margins_and_slopes(model, x)
    return (f / np.linalg.norm(w, DUAL[norm], axis=2)).min(axis=1)


def moved(model, result, x):
    """The changes (N, D), in [0, 1]."""
    low, high = model.input.bounds
    return (np.asarray(result.images, np.float64) - x).reshape(len(x), -1) / (high - low)


@pytest.mark.parametrize("norm", DUAL)
def test_fgsm_gains_eps_times_the_dual_norm(network, norm):
    """Towards the class whose boundary the loss's gradient is square to: with two classes, the other one."""
    x, eps = images(network), {"linf": 0.01, "l2": 0.05, "l1": 0.2}[norm]
    f, w = margins_and_slopes(network, x)
    result = method("fgsm", norm=norm, eps=eps, loss="margin")(network, x)
    nearest = w[np.arange(len(x)), f.argmin(axis=1)]
    gain = (-moved(network, result, x) * nearest).sum(axis=1)
    np.testing.assert_allclose(gain, eps * np.linalg.norm(nearest, DUAL[norm], axis=1), rtol=2e-6)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("overshoot", [0.0, 0.02])
def test_deep_fool_goes_to_the_nearest_boundary_in_one_step(network, norm, overshoot):
    x = images(network)
    result = method("deep_fool", norm=norm, overshoot=overshoot, within_bounds=bool(overshoot))(network, x)
    expected = distances(network, x, norm)
    assert result.success.all()
    np.testing.assert_allclose(
        result.distance, (1 + overshoot) * expected, rtol=1e-6, atol=SPACING + 1e-6 * (not overshoot)
    )
    if overshoot:
        np.testing.assert_array_equal(result.queries, 3)  # of the image, at the image, and of the picture


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_shortest_step_of_deep_fool_within_the_bounds_is_that_of_a_solver(norm):
    """Near the bounds, against sequential quadratic and linear programming."""
    model, rng = affine(2), np.random.default_rng(2)
    x = rng.choice([0.0, 0.02, 0.97, 1.0], (4, *SHAPE)).astype(np.float32)
    w, b = model.in_unit_range()
    model.bias = b - w @ x[0].ravel() + [0.0, 2.0]
    result = method("deep_fool", norm=norm, overshoot=0.0, within_bounds=True)(model, x[:1])
    f, w = margins_and_slopes(model, x[:1])
    solve = least_change_l2 if norm == "l2" else least_change_linf
    np.testing.assert_allclose(result.distance, solve(x[0].ravel().astype(float), f[0, 0], w[0, 0]), rtol=1e-4)


def test_steps_of_deep_fool_that_bounds_cut_short_end_beyond_the_boundary_by_more_than_rounding():
    """Half of the numbers cannot move: each step covers part of what is left, and would be ever shorter."""
    model, rng = affine(2), np.random.default_rng(3)
    x = rng.choice([0.0, 1.0], (20, *SHAPE)).astype(np.float32)
    w, b = model.in_unit_range()
    model.bias = b - x.reshape(20, -1).astype(float).mean(axis=0) @ w.T
    result = method("deep_fool")(model, x)
    f, w = margins_and_slopes(model, x)
    left = f[:, 0] + (moved(model, result, x) * w[:, 0]).sum(axis=1)
    assert result.success.all()
    assert np.median(left / np.linalg.norm(w[:, 0], axis=1)) < -1e-5


def least_change_l2(x, f, w):
    found = minimize(
        lambda d: d @ d,
        np.zeros(len(x)),
        jac=lambda d: 2 * d,
        bounds=list(zip(-x, 1 - x, strict=True)),
        constraints=[{"type": "ineq", "fun": lambda d: -w @ d - f, "jac": lambda d: -w}],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    return np.linalg.norm(found.x)


def least_change_linf(x, f, w):
    n = len(x)
    both = np.block([[np.eye(n), -np.ones((n, 1))], [-np.eye(n), -np.ones((n, 1))]])
    found = linprog(
        np.r_[np.zeros(n), 1.0],
        A_ub=np.r_[both, np.r_[w, 0.0][None]],
        b_ub=np.r_[np.zeros(2 * n), -f],
        bounds=[*zip(-x, 1 - x, strict=True), (0, None)],
    )
    return found.fun


def test_carlini_wagner_converges_to_the_nearest_boundary(network):
    """To 1 % where the boundary is some way off; the steps of tanh are too coarse for a nearly undecided image."""
    x = images(network)
    result = method("carlini_wagner")(network, x)
    expected = distances(network, x, "l2")
    assert result.success.all()
    assert (result.distance >= expected * (1 - 1e-5)).all()
    np.testing.assert_allclose(result.distance, expected, rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("norm", DUAL)
def test_fmn_converges_to_the_nearest_boundary(network, norm):
    x = images(network)
    result = method("fmn", norm=norm)(network, x)
    expected = distances(network, x, norm)
    free = expected < 0.4  # in L1 one number takes all of it, up to its bound
    assert result.success.all()
    assert (result.distance >= expected * (1 - 1e-4)).all()
    np.testing.assert_allclose(result.distance[free], expected[free], rtol=2e-3, atol=2e-6)


@pytest.mark.parametrize("name", ["fmn", "carlini_wagner"])
def test_the_least_change_that_reaches_a_class_is_that_of_a_quadratic_program(name):
    """The class to reach must lead all others: the nearest point of an intersection of half-spaces."""
    model = affine(4)
    x = images(model, 3)
    w, b = model.in_unit_range()
    for image in x:
        z = w @ image.ravel().astype(float) + b
        wanted = int(z.argsort()[-2])
        lead, others = z[wanted] - np.delete(z, wanted), w[wanted] - np.delete(w, wanted, axis=0)
        best = minimize(
            lambda d: d @ d,
            np.zeros(w.shape[1]),
            jac=lambda d: 2 * d,
            constraints=[{"type": "ineq", "fun": lambda d, a=others, c=lead: a @ d + c, "jac": lambda d, a=others: a}],
            method="SLSQP",
            options={"ftol": 1e-12},
        )
        result = method(name, towards=wanted)(model, image[None])
        np.testing.assert_allclose(result.distance, np.linalg.norm(best.x), rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize(("lead", "digits"), [(60.0, 1e-5), (95.0, 1e-2)])
@pytest.mark.parametrize("name", ["deep_fool", "fmn"])
def test_a_nearly_saturated_softmax_without_a_layer_of_logits_has_the_same_distances(name, lead, digits):
    """exp(-95) has few digits in float32, and its reciprocal is infinite there."""
    model = saturated(lead)
    x = images(model, 1)
    with np.errstate(over="raise", invalid="raise"):
        result = method(name, **({"overshoot": 0.0} if name == "deep_fool" else {}))(model, x)
    assert result.success.all()
    np.testing.assert_allclose(result.distance, distances(model, x, "l2"), rtol=max(digits, 2e-4))


@pytest.mark.parametrize("name", ["deep_fool", "fmn", "carlini_wagner", "pgd"])
def test_a_saturated_softmax_without_a_layer_of_logits_has_no_gradient_and_the_result_says_so(name):
    model = saturated(300.0)
    options = {"searches": 2, "steps": 5} if name == "carlini_wagner" else {"steps": 5}
    result = method(name, random_start=False, **options) if name == "pgd" else method(name, **options)
    result = result(model, images(model, 1))
    assert not result.success.any()
    assert any("the gradient was zero at 1 of 1 images" in note for note in result.notes)


def saturated(lead):
    """Two classes, of which one leads by so much at the first of the images."""
    model = affine(2, link=softmax, sealed=True)
    f, _ = margins_and_slopes(model, images(model, 1))
    model.matrix, model.bias = model.matrix * lead / f[0, 0], model.bias * lead / f[0, 0]
    return model
