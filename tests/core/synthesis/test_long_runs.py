"""Long runs: snapshots, the best so far on ctrl-C, and going on from a state bit by bit."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.optim.adam import Adam
from crosslens.optim.base import State
from crosslens.optim.lbfgs import LBFGS
from crosslens.optim.loop import long_run


def bumpy(x, step):
    """A bowl whose bottom moves with the step, as random transforms make it."""
    d = x - np.float32(np.random.default_rng([3, step]).normal(1.0, 0.3))
    return (d * d).sum(axis=1), 2 * d


START = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)


def stopping_at(step):
    def progress(done, total, what):
        if done == step:
            raise KeyboardInterrupt

    return progress


def test_a_resumed_run_is_bit_by_bit_the_uninterrupted_one():
    whole = long_run(bumpy, START, 40)
    half = long_run(bumpy, START, 17)
    rest = long_run(bumpy, half.state, 40, past=half.history)
    np.testing.assert_array_equal(rest.parameters, whole.parameters)
    np.testing.assert_array_equal(rest.history, whole.history)
    assert rest.state.step == 40


@pytest.mark.parametrize("optimiser", [Adam(0.4), LBFGS()])
def test_interrupted_it_gives_the_parameters_of_the_least_loss_seen(optimiser):
    seen = []

    def evaluate(x, step):
        losses, gradient = bumpy(x, 0)
        seen.append((float(losses.sum()), x))
        return losses, gradient

    run = long_run(evaluate, START, 30, optimiser=optimiser, progress=stopping_at(2))
    assert run.interrupted
    assert run.state.step == 2
    np.testing.assert_array_equal(run.parameters, min(seen, key=lambda pair: pair[0])[1])


def test_after_an_interrupt_the_state_goes_on_as_if_nothing_had_happened():
    stopped = long_run(bumpy, START, 30, progress=stopping_at(11))
    rest = long_run(bumpy, stopped.state, 30, past=stopped.history)
    np.testing.assert_array_equal(rest.parameters, long_run(bumpy, START, 30).parameters)


def test_interrupted_before_the_first_step_there_is_nothing_to_give():
    def interrupted(x, step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        long_run(interrupted, START, 3)


@pytest.mark.parametrize("optimiser", [Adam(), LBFGS()])
def test_snapshots_are_the_parameters_after_every_so_many_steps(optimiser):
    def same(x, step):
        return bumpy(x, 0)

    run = long_run(same, START, 4, every=2, optimiser=optimiser)
    step, parameters = run.snapshots[0]
    assert step == 2
    np.testing.assert_array_equal(parameters, long_run(same, START, 2, optimiser=optimiser).parameters)


def test_a_rule_between_steps_changes_what_the_next_step_sees():
    seen = []

    def evaluate(x, step):
        seen.append(x.copy())
        return bumpy(x, step)

    long_run(evaluate, START, 3, amend=np.full_like)
    assert [x[0, 0] for x in seen[1:]] == [1, 2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"every": 0}, "every is 0; it must be a whole number, at least 1"),
        ({"start": State(START, (START, START), 9)}, "steps is 9, and the run to go on from has taken 9; ask for more"),
        ({"optimiser": LBFGS(), "amend": lambda x, done: x}, "L-BFGS takes no rules between steps: its memory"),
    ],
)
def test_what_cannot_be_is_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        long_run(bumpy, **{"start": START, "steps": 9, **parameters})
