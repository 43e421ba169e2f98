"""What a command keeps on the way: a kill loses an interval, and going on gives the same bits as without it."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

CLIMB = ("run", "activation_maximisation", "killed:Slow", "--target", "1", "--steps", "8", "--every", "2")
KILLED = """
import os, signal
from crosslens.testing import TinyModel

class Slow(TinyModel):
    calls = 0
    def _linearize(self, *given):
        Slow.calls += 1
        if Slow.calls == int(os.environ.get("KILLED_AT", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._linearize(*given)
"""


@pytest.fixture
def type_it(tmp_path):
    """Run a command in a process that kills itself in the given gradient."""
    (tmp_path / "killed.py").write_text(KILLED)

    def run(*words, at=0):
        done = subprocess.run(
            [sys.executable, "-m", "crosslens", *words],
            cwd=tmp_path,
            env={**os.environ, "KILLED_AT": str(at)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if at else 0), done.stderr
        return done.stderr

    return run


def arrays(path):
    with np.load(path) as stored:
        return {name: stored[name].tobytes() for name in stored.files if name != "record"}


def test_a_killed_climb_goes_on_from_its_last_interval(type_it, tmp_path):
    type_it(*CLIMB, "-o", "whole.npz")
    type_it(*CLIMB, "-o", "a.npz", at=4)
    with np.load(tmp_path / "a.npz") as kept:
        assert int(kept["state_0_step"]) == 2
    type_it(*CLIMB, "-o", "a.npz", "--resume", "a.npz")
    assert arrays(tmp_path / "a.npz") == arrays(tmp_path / "whole.npz")


def test_the_state_of_a_film_lies_beside_it_until_the_film_is_whole(type_it, tmp_path):
    type_it(*CLIMB, "-o", "whole.gif")
    assert not (tmp_path / "whole.gif.npz").exists()
    type_it(*CLIMB, "-o", "a.gif", at=6)
    assert (tmp_path / "a.gif.npz").exists()
    type_it(*CLIMB, "-o", "a.gif", "--resume", "a.gif.npz")
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "whole.gif").read_bytes()
    assert not (tmp_path / "a.gif.npz").exists()


def test_a_killed_search_keeps_its_whole_trials(type_it, tmp_path):
    words = ("search", "activation_maximisation", "killed:Slow", "--target", "1", "--steps", "2", "--trials", "3")
    type_it(*words, "-o", "whole.npz")
    type_it(*words, "-o", "a.npz", at=5)
    type_it(*words, "-o", "a.npz", "--resume", "a.npz")
    assert arrays(tmp_path / "a.npz") == arrays(tmp_path / "whole.npz")


def test_a_file_of_the_users_own_beside_a_film_is_not_replaced(command, tiny, tmp_path):
    beside = tmp_path / "a.gif.npz"
    beside.write_bytes(b"mine")
    words = ("run", "activation_maximisation", tiny, "--target", "1", "--steps", "2", "--every", "1")
    done = command(*words, "-o", tmp_path / "a.gif")
    assert (done.exit_code, beside.read_bytes()) == (1, b"mine")
    assert "crosslens did not write it" in done.stderr


def test_an_interrupted_comparison_is_of_what_was_done(command, module, picture, tmp_path):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "class Stops(TinyModel):\n"
        "    calls = 0\n"
        "    def _linearize(self, *given):\n"
        "        Stops.calls += 1\n"
        "        if Stops.calls == 3: raise KeyboardInterrupt\n"
        "        return super()._linearize(*given)\n"
    )
    report = tmp_path / "report.json"
    words = ("compare", "gradient", "gradient_x_input", f"{name}:Stops", f"{name}:Stops", "--images", picture)
    done = command(*words, "-o", report)
    assert report.exists(), done.output
    assert "interrupted before it was done" in done.stderr
