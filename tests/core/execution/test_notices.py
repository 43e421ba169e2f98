"""Notes of results reach whoever is there, once each: through `logging`, or by one line on stderr."""

import logging
import subprocess
import sys
from threading import Thread

import crosslens
import numpy as np
import pytest
from crosslens.execution.notices import forget_notices, notice, silence, withhold
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)


@pytest.fixture(autouse=True)
def anew(caplog):
    forget_notices()
    caplog.set_level(logging.WARNING, "crosslens")
    return caplog


def test_a_message_is_told_once_on_all_threads_together(caplog):
    threads = [Thread(target=notice, args=("one  fact\nin two lines",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notice("another fact, 100 %s")
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("crosslens", "WARNING", "one fact in two lines"),
        ("crosslens", "WARNING", "another fact, 100 %s"),
    ]
    forget_notices()
    notice("another fact, 100 %s")
    assert len(caplog.records) == 3


def test_what_differs_in_numbers_alone_is_told_once_and_names_are_no_numbers(caplog):
    for numbers in ("1 of 3 maps are zero (1.5e-3)", "2 of 4 maps are zero (0.25)"):
        notice(numbers)
    for name in ("layer4.1", "layer4.2"):
        notice(f"zero at {name!r}")
    told = [r.getMessage() for r in caplog.records]
    assert told == ["1 of 3 maps are zero (1.5e-3)", "zero at 'layer4.1'", "zero at 'layer4.2'"]


def test_what_was_silenced_is_told_when_somebody_listens(caplog):
    with silence():
        notice("a fact")
    with withhold():
        notice("a fact")
    assert not caplog.records
    notice("a fact")
    assert len(caplog.records) == 1


@pytest.fixture
def zeros():
    """A network whose Grad-CAM is all zeros: a note of its result says so."""
    model = TinyModel()
    return model._with_weights({"fc": {"kernel": np.zeros_like(model.weights("fc")["kernel"])}})


def test_each_note_of_a_result_is_told_with_the_name_of_its_method(caplog, zeros):
    result = crosslens.method("grad_cam")(zeros, IMAGES, 1)
    assert result.notes
    crosslens.method("grad_cam")(zeros, IMAGES, 1)
    assert [r.getMessage() for r in caplog.records] == [f"grad_cam: {note}" for note in result.notes]


def test_methods_that_run_others_tell_nothing_of_the_inner_runs(caplog, zeros):
    result = crosslens.method("insertion", method="grad_cam")(zeros, IMAGES, 1)
    assert [r.getMessage() for r in caplog.records] == [f"insertion: {note}" for note in result.notes]


def test_a_comparison_tells_the_notes_of_its_results_and_nothing_else(caplog, zeros):
    made = crosslens.compare([zeros, zeros], crosslens.method("grad_cam"), IMAGES, 1)
    notes = {f"grad_cam: {note}" for result in made.results.values() for note in result.notes}
    assert notes
    assert sorted(r.getMessage() for r in caplog.records) == sorted(notes)


@pytest.mark.parametrize(
    ("setup", "printed"),
    [
        ("", "crosslens: a fact\n"),
        ("logging.basicConfig(format='%(levelname)s %(name)s: %(message)s')", "WARNING crosslens: a fact\n"),
        ("logging.getLogger('crosslens').setLevel(logging.ERROR)", ""),
    ],
)
def test_one_line_on_stderr_says_whose_it_is(setup, printed):
    lines = ["import logging", setup, "from crosslens.execution.notices import notice", "notice('a fact')"]
    code = "\n".join([*lines, lines[-1]])
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.stdout, run.stderr, run.returncode) == ("", printed, 0)
