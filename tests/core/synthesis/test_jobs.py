"""The runner of methods that make pictures, on bowls whose bottoms are known: no network is asked anything."""

from dataclasses import dataclass

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.optim.adam import Adam
from crosslens.optim.base import State
from crosslens.result import Synthesis
from crosslens.synthesis.jobs import Jobs, make_pictures, run_jobs
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.testing import TinyModel

IMAGES = np.zeros((2, 3, 8, 8), np.float32)
BOTTOMS = (0.25, 0.75)


class Bowls(Jobs):
    """Job n lowers the sum of (x - bottom n)^2."""

    optimiser = Adam(0.1)

    def __init__(self, steps, count=2, scales=1):
        self.steps, self.count, self.scales, self.example, self.seen = steps, count, scales, IMAGES, []

    def job(self, n, last):
        self.seen.append(None if last is None else last.parameters.copy())

        def evaluate(x, step):
            d = x - np.float32(BOTTOMS[n % 2])
            return (d * d).sum(axis=(1, 2, 3)), 2 * d

        return evaluate, IMAGES[:1]

    def pictures(self, parameters, n):
        return parameters


@dataclass(frozen=True, kw_only=True)
class Bowl(PictureMethod):
    name = "bowl"
    needs_target = False
    scales: int = 1
    uphill: bool = False

    def run(self, model, images, objective, progress) -> Synthesis:
        jobs = Bowls(self.steps, scales=self.scales)
        jobs.maximises = self.uphill
        return make_pictures(self, model, objective, jobs, images, progress)


def made(progress=lambda *told: None, **settings):
    return Bowl(**settings)(TinyModel(size=8), IMAGES, progress=progress)


def stopping_after(count):
    told = []

    def progress(done, total, what):
        told.append((done, total, what))
        if len(told) == count:
            raise KeyboardInterrupt

    return progress


def test_each_job_gives_its_picture_and_a_column_of_the_history():
    result = made(steps=200)
    for picture, bottom in zip(result.images, BOTTOMS, strict=True):
        np.testing.assert_allclose(picture, bottom, atol=0.01)
    assert result.history.shape == (200, 2)
    np.testing.assert_allclose(result.history[0], [192 * bottom**2 for bottom in BOTTOMS], rtol=1e-5)
    np.testing.assert_array_equal(made(steps=5, uphill=True).history, -made(steps=5).history)


def test_each_job_is_told_the_run_before_it():
    jobs = Bowls(3)
    first, _ = run_jobs(jobs, (), every=None, progress=lambda *told: None)
    assert jobs.seen[0] is None
    np.testing.assert_array_equal(jobs.seen[1], first.parameters)


def test_jobs_from_coarse_to_fine_make_one_picture_with_the_history_of_all():
    result = made(steps=4, scales=2)
    assert (result.images.shape[0], result.history.shape) == (1, (8, 1))
    np.testing.assert_array_equal(result.images, made(steps=4).images[1:])


def test_snapshots_are_those_that_every_picture_has(tmp_path):
    assert list(made(steps=5, every=2).snapshots) == [2, 4]
    assert not made(stopping_after(6), steps=5, every=2).snapshots


def test_interrupted_in_the_second_job_the_first_picture_is_whole_and_a_note_says_where():
    result = made(stopping_after(7), steps=5)
    assert "interrupted after 2 of 5 steps of picture 2 of 2: this is the best so far" in result.notes
    np.testing.assert_array_equal(result.images[:1], made(steps=5).images[:1])
    only = made(stopping_after(5), steps=5)
    assert only.images.shape[0] == 1


def test_interrupted_before_the_first_step_there_is_nothing_to_give():
    class Interrupted(Bowls):
        def job(self, n, last):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(Interrupted(3), (), every=None, progress=lambda *told: None)


def test_saved_jobs_that_have_taken_their_steps_stand_and_are_not_run_again():
    jobs, saved = Bowls(3), [(State(IMAGES[:1] + 0.5, (), 3), np.ones((3, 1), np.float32))]
    first, second = run_jobs(jobs, saved, every=None, progress=lambda *told: None)
    np.testing.assert_array_equal(first.parameters, 0.5)
    assert (len(jobs.seen), second.state.step) == (1, 3)
    with pytest.raises(ParameterError, match="steps is 3, and the run to go on from has taken 3; ask for more"):
        run_jobs(Bowls(3, count=1), saved, every=None, progress=lambda *told: None)


@pytest.mark.parametrize("count", [2, 5, 7])  # in the first job, at its end, in the second
def test_a_stopped_run_goes_on_from_its_file_bit_by_bit(count, tmp_path):
    path = made(stopping_after(count), steps=5).save(tmp_path / "stopped.npz")
    rest, whole = made(steps=5, resume=path), made(steps=5)
    np.testing.assert_array_equal(rest.images, whole.images)
    np.testing.assert_array_equal(rest.history, whole.history)
