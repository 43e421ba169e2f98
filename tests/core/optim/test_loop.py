"""Adam against the paper written slowly and against torch; L-BFGS on a problem with a known answer."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import CrosslensError, ParameterError
from crosslens.optim.adam import Adam
from crosslens.optim.lbfgs import LBFGS
from crosslens.optim.loop import optimise


def bowl(x, step):
    """An ill-conditioned quadratic, one per row; its minimum is at 1, 2, 3."""
    centre, curvature = np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    d = x - centre
    return 0.5 * (curvature * d * d).sum(axis=1), curvature * d


def adam_from_the_paper(start, steps, alpha=0.05, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Algorithm 1, one number at a time."""
    theta = start.astype(np.float64).ravel().copy()
    m, v = [0.0] * theta.size, [0.0] * theta.size
    for t in range(1, steps + 1):
        gradient = bowl(theta.reshape(start.shape), t)[1].ravel()
        for i, g in enumerate(gradient):
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g**2
            theta[i] -= alpha * (m[i] / (1 - beta1**t)) / (np.sqrt(v[i] / (1 - beta2**t)) + epsilon)
    return theta.reshape(start.shape)


def test_adam_is_algorithm_1():
    start = np.random.default_rng(0).normal(size=(2, 3))
    found, history = optimise(bowl, start, 50)
    np.testing.assert_allclose(found, adam_from_the_paper(start, 50), rtol=1e-10)
    assert history.shape == (50, 2)
    np.testing.assert_allclose(history[0], bowl(start, 0)[0])


def test_adam_is_torchs_adam():
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(0).normal(size=(2, 3))
    theirs = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=0.05)
    for _ in range(30):
        theirs.grad = torch.from_numpy(bowl(theirs.detach().numpy(), 0)[1])
        optimiser.step()
    np.testing.assert_allclose(optimise(bowl, start, 30)[0], theirs.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("optimiser", [Adam(), LBFGS(), LBFGS(bounds=(0.0, 2.0)), Adam(bounds=(0.0, 2.0))])
def test_parameters_stay_in_their_namespace_and_type(optimiser):
    def rosy(x, step):
        return strict.sum((x - 1.5) ** 2, axis=1), 2.0 * (x - 1.5)

    start = strict.zeros((2, 3), dtype=strict.float32)
    found, history = optimise(rosy, start, 20, optimiser=optimiser)
    assert found.dtype == strict.float32
    assert type(found) is type(start)
    assert as_numpy(history)[-1].sum() < as_numpy(history)[0].sum()


def test_lbfgs_finds_the_minimum_of_rosenbrocks_valley():
    def valley(x, step):
        a, b = x[0, 0], x[0, 1]
        gradient = np.array([[-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]])
        return np.array([(1 - a) ** 2 + 100 * (b - a * a) ** 2]), gradient

    found, history = optimise(valley, np.array([[-1.2, 1.0]]), 100, optimiser=LBFGS())
    np.testing.assert_allclose(found, [[1, 1]], atol=1e-6)
    assert (np.diff(history[:, 0]) <= 0).all()


@pytest.mark.parametrize("optimiser", [Adam(0.1, bounds=(0.0, 2.5)), LBFGS(bounds=(0.0, 2.5))])
def test_bounds_hold_and_the_minimum_lies_on_them(optimiser):
    found, _ = optimise(bowl, np.full((1, 3), 0.5), 300, optimiser=optimiser)
    np.testing.assert_allclose(found, [[1.0, 2.0, 2.5]], atol=0.02)
    assert found.max() <= 2.5


def test_lbfgs_takes_as_many_steps_as_asked_for_and_no_more():
    seen = []
    _, history = optimise(
        bowl, np.zeros((1, 3)), 4, optimiser=LBFGS(), progress=lambda done, total, what: seen.append((done, total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert history.shape == (5, 1)
    np.testing.assert_allclose(history[0], bowl(np.zeros((1, 3)), 0)[0])


def test_lbfgs_already_at_the_minimum_stops_at_once():
    start = np.array([[1.0, 2.0, 3.0]])
    found, history = optimise(bowl, start, 10, optimiser=LBFGS())
    np.testing.assert_array_equal(found, start)
    np.testing.assert_array_equal(history, [[0.0]])


def test_progress_hears_of_each_step_and_its_loss():
    heard = []
    optimise(bowl, np.zeros((1, 3)), 2, progress=lambda *told: heard.append(told))
    assert heard[0] == (1, 2, "loss 470.5")
    assert len(heard) == 2


def test_each_step_is_told_its_number_so_that_it_can_draw_its_own_view():
    steps = []

    def evaluate(x, step):
        steps.append(step)
        return bowl(x, step)

    optimise(evaluate, np.zeros((1, 3)), 4)
    assert steps == [0, 1, 2, 3]


@pytest.mark.parametrize("optimiser", [Adam(), LBFGS()])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_nan_stops_the_work_and_names_the_step(optimiser, what):
    def cliff(x, step):
        losses, gradient = bowl(x, step)
        bad = np.full_like(x, np.nan) if step == 3 else gradient
        return (np.array([np.nan]) if step == 3 and what == "loss" else losses), (
            bad if what == "gradient" else gradient
        )

    with pytest.raises(CrosslensError, match=f"{what} not finite at step 4: take smaller steps"):
        optimise(cliff, np.zeros((1, 3)), 10, optimiser=optimiser)


def test_a_step_out_of_all_bounds_is_named_before_anything_is_computed_there():
    with pytest.raises(CrosslensError, match="parameters not finite at step 2: take smaller steps"):
        optimise(bowl, np.zeros((1, 3)), 10, optimiser=Adam(float("inf")))


@pytest.mark.parametrize("steps", [0, -3, 1.5, True])
def test_steps_must_be_a_whole_number_from_one_up(steps):
    with pytest.raises(ParameterError, match="it must be a whole number, at least 1"):
        optimise(bowl, np.zeros((1, 3)), steps)


@pytest.mark.parametrize("optimiser", [Adam(), LBFGS()])
def test_an_interrupt_is_not_swallowed(optimiser):
    def interrupt(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimise(bowl, np.zeros((1, 3)), 10, optimiser=optimiser, progress=interrupt)
