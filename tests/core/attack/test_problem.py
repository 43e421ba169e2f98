"""What an attack asks of a network and keeps: gradients, views, counts, and the best picture of each image."""

import crosslens
import numpy as np
import pytest
from crosslens.attack import Ball, NormedSteps, Problem, climb
from crosslens.attack.randomness import generators
from crosslens.attack.views import Views
from crosslens.execution.progress import silent
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective.aim import Aim
from crosslens.objective.margins import LOSSES, Margin, margins
from crosslens.synthesis.transforms import robust_transform
from crosslens.testing.tiny import TinyModel

ROWS = np.array([1, 3, 4])


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)


def problem_of(images, model=None, norm="linf", batch_size=None, leave=None):
    model = model or TinyModel(seed=1)
    model.batch_size = batch_size
    clean = model.forward(images)["<output>"].astype(np.float64)
    return Problem(model, images, Aim(model.output, clean.argmax(axis=1) if leave is None else leave), norm, clean)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_gradient_is_that_of_central_differences(images, name, batch_size):
    problem = problem_of(images, batch_size=batch_size)
    x = problem.of(ROWS)
    at = problem.gradient(x, ROWS, LOSSES[name], scaled=False)
    loss = LOSSES[name](problem.aim.rows(ROWS))
    rng, step = np.random.default_rng(4), 1e-5
    for _ in range(3):
        direction = rng.normal(0, 1, x.shape)
        ends = [
            loss.at_logits(problem.model._run(x.astype(float) + s * step * direction, {})["<output>"])[0]
            for s in (1, -1)
        ]
        slope = (at.gradient * direction).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_jacobian_holds_the_gradients_of_single_logits(images, batch_size):
    problem = problem_of(images, batch_size=batch_size)
    columns = [np.array([0, 1, 2]), np.array([4, 4, 3])]
    logits, gradients = problem.jacobian(problem.of(ROWS), ROWS, columns)
    np.testing.assert_allclose(logits, problem.clean[ROWS], rtol=1e-5, atol=1e-6)
    for column, gradient in zip(columns, gradients, strict=True):
        for n, (row, k) in enumerate(zip(ROWS, column, strict=True)):
            with problem.model.linearize(images[row : row + 1], ["<output>"]) as at:
                one = at.last_vjp({"<output>": np.eye(5, dtype=np.float32)[k : k + 1]})["<input>"]
            np.testing.assert_allclose(gradient[n], one[0], rtol=1e-4, atol=1e-6)
    assert problem.queries.tolist() == [1, 2, 1, 2, 2, 1]
    assert problem.gradients.tolist() == [0, 2, 0, 2, 2, 0]


def test_under_views_the_gradient_is_the_mean_over_them(images):
    """Each view's own gradient, taken back by the adjoint; the logits are those of the picture itself."""
    problem = problem_of(images)
    transform = robust_transform((8, 8), 0.1, 0.1, 10.0, 0.0)
    problem.views = Views(transform, 3, seed=5)
    x = problem.of(ROWS)
    at = problem.gradient(x, ROWS, Margin, scaled=False)
    np.testing.assert_allclose(at.logits, problem.clean[ROWS], rtol=1e-5, atol=1e-6)
    plain = problem_of(images)
    expected = 0
    for view in range(3):
        operator, _ = transform.draw((8, 8), np.random.default_rng([5, 0, view]))
        expected = expected + operator.adjoint(plain.gradient(operator.apply(x), ROWS, Margin, scaled=False).gradient)
    np.testing.assert_allclose(at.gradient, expected / 3, rtol=1e-5, atol=1e-6)
    assert problem.queries[ROWS].tolist() == [1 + 1 + 3] * 3
    assert problem.gradients[ROWS].tolist() == [3] * 3


def test_views_are_drawn_anew_at_each_step_and_again_alike(images):
    problem, again = problem_of(images), problem_of(images)
    for each in (problem, again):
        each.views = Views(robust_transform((8, 8), 0.1, 0.1, 10.0, 0.0), 2)
    first, second = (problem.gradient(images, problem.unfinished, Margin).gradient for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(again.gradient(images, again.unfinished, Margin).gradient, first)


def offered(problem, rows, logits, shift):
    """Whether pictures moved by `shift` were kept."""
    x = problem.of(rows) + np.float32(shift)
    problem.offer(x, rows, np.asarray(logits, float))
    return [bool((problem.best[row] == x[n]).all()) for n, row in enumerate(rows)]


def test_keeps_the_nearest_that_succeeds_and_before_that_the_least_margin(images):
    rows = np.array([2])
    problem = problem_of(images, leave=np.zeros(6, int))
    problem.distance[:], problem.margin[:] = np.inf, 5.0
    assert offered(problem, rows, [[9, 2, 0, 0, 0]], 0.1) == [False], "a margin of 7 is worse than one of 5"
    assert offered(problem, rows, [[5, 2, 0, 0, 0]], 0.2) == [True], "one of 3 is better"
    assert np.isinf(problem.distance[2])
    assert offered(problem, rows, [[1, 2, 0, 0, 0]], 0.3) == [True], "the first that succeeds"
    assert problem.distance[2] == pytest.approx(0.3, abs=1e-6)
    assert offered(problem, rows, [[0, 90, 0, 0, 0]], 0.4) == [False], "surer, but further away"
    assert offered(problem, rows, [[1, 1.1, 0, 0, 0]], 0.05) == [True], "nearer"
    assert offered(problem, rows, [[2, 1, 0, 0, 0]], 0.01) == [False], "nearer, and does not succeed"
    assert problem.distance[2] == pytest.approx(0.05, abs=1e-6)
    assert 2 not in problem.unfinished


def test_a_tie_is_no_success(images):
    """argmax gives the first of equal logits: of a tie with a later class the class was not left."""
    problem = problem_of(images, leave=np.zeros(6, int))
    assert not problem.succeeded(np.array([[1.0, 1, 0, 0, 0]]), np.array([0]))[0]
    assert margins(problem.aim.rows(np.array([0])), np.array([[1.0, 1, 0, 0, 0]]))[0] == 0


def test_images_that_are_done_take_no_more_passes(images):
    model = TinyModel(seed=1, relu=True)
    problem = problem_of(images, model)
    region = Ball("linf", 0.1).around(images)
    history = climb(problem, region, images, problem.unfinished, Margin, NormedSteps(0.003), 20, silent)
    steps = np.array([np.argmax(np.append(history[:, n] < 0, True)) for n in range(6)])
    assert len(set(steps)) > 2
    assert problem.gradients.tolist() == [min(int(step) + 1, 20) for step in steps]
    assert problem.queries.tolist() == [1 + min(int(step) + 1, 20) + int(step >= 20) for step in steps]
    assert (np.diff(history, axis=0) <= 0).all()


def test_random_numbers_belong_to_the_picture(images):
    together = [g.random() for g in generators(images, 3, 1)]
    assert [next(iter(generators(images[n : n + 1], 3, 1))).random() for n in range(6)] == together
    assert len(set(together)) == 6
    assert [g.random() for g in generators(images, 3, 2)] != together


def test_pictures_made_under_views_fool_under_other_views_more_often(images):
    """The expectation over transformations (Athalye et al., 2018), on views of another seed."""
    model = TinyModel(seed=1, relu=True, size=16)
    pictures = np.random.default_rng(7).random((12, 3, 16, 16), dtype=np.float32)
    options = {"eps": 0.1, "steps": 30, "loss": "margin", "random_start": False}
    moving = {"shift": 0.15, "zoom": 0.1, "turn": 15.0}
    plain = crosslens.method("pgd", **options)(model, pictures)
    robust = crosslens.method("pgd", **options, views=8, **moving)(model, pictures)
    share = []
    for result in (plain, robust):
        rng, hits = np.random.default_rng(99), []
        for _ in range(30):
            view, _ = robust_transform((16, 16), 0.15, 0.1, 15.0, 0.0).draw((16, 16), rng)
            hits.append(model.forward(view.apply(result.images))["<output>"].argmax(axis=1) != result.leave)
        share.append(np.mean(hits))
    assert share[1] > share[0]


@pytest.mark.parametrize("wanted", [None, 1])
def test_a_picture_on_the_boundary_has_not_succeeded(wanted):
    """Two logits that are equal but for rounding are the other way round in another batch, or after a softmax."""
    images = np.zeros((4, 3, 8, 8), np.float32)
    model = TinyModel()
    clean = np.tile([1.0, 0, -1], (4, 1))
    aim = Aim(OutputSpec("logits", (3,)), np.zeros(4, int), None if wanted is None else np.full(4, wanted))
    problem = Problem(model, images, aim, "l2", clean)
    ahead = np.array([0, 1e-7, 1e-5, np.nan])
    logits = np.stack([np.full(4, 2.0), 2 + ahead, np.full(4, -1.0)], axis=1)
    assert problem.succeeded(logits, problem.unfinished).tolist() == [False, False, True, False]
    assert problem.offer(images + 0.5, problem.unfinished, logits).tolist() == [False, False, True, False]
    assert problem.unfinished.tolist() == [0, 1, 3]
