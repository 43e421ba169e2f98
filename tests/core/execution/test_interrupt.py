import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from crosslens.execution.interrupt import Interrupted, stop_on_signals

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
NAMES = [number.name for number in NUMBERS]


@pytest.fixture(autouse=True)
def usual_handlers():
    """Those of a program started by hand: under nohup, and in the background of a shell, signals are ignored."""
    before = [signal.signal(signal.SIGINT, signal.default_int_handler)]
    before += [signal.signal(number, signal.SIG_DFL) for number in NUMBERS[1:]]
    yield
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in NUMBERS]


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_the_first_signal_is_an_interrupt_with_its_exit_code(number):
    before = handlers()
    with pytest.raises(KeyboardInterrupt, match=number.name) as caught, stop_on_signals() as received:
        os.kill(os.getpid(), number)
    assert isinstance(caught.value, Interrupted)
    assert (caught.value.exit_code, received) == (128 + number, [caught.value])
    assert handlers() == before


def test_after_the_first_signal_the_next_one_kills():
    with stop_on_signals():
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
        assert handlers() == [signal.SIG_DFL] * 3
        with stop_on_signals():
            assert handlers() == [signal.SIG_DFL] * 3


def test_handlers_of_the_user_and_ignored_signals_are_left_alone():
    def mine(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, mine), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals():
            assert handlers()[1:] == [mine, signal.SIG_IGN]
        assert handlers()[1:] == [mine, signal.SIG_IGN]
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])


def test_handlers_come_back_after_an_error():
    before = handlers()
    with pytest.raises(ZeroDivisionError), stop_on_signals():
        raise ZeroDivisionError
    assert handlers() == before


def test_in_another_thread_it_does_nothing():
    before, seen = handlers(), []

    def work() -> None:
        with stop_on_signals() as received:
            seen.append((handlers(), received))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, [])]


USUAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGTERM, "
    "signal.SIG_DFL); signal.signal(signal.SIGHUP, signal.SIG_DFL); from crosslens.cli import main; main()"
)
SLOW = """
import os, signal
from crosslens.testing import TinyModel

class Slow(TinyModel):
    calls = 0
    def _linearize(self, *given):
        Slow.calls += 1
        if Slow.calls == 4:
            os.kill(os.getpid(), signal.{name})
        return super()._linearize(*given)
"""


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_a_climb_that_is_sent_a_signal_saves_the_best_so_far(number, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW.format(name=number.name))
    words = ["run", "activation_maximisation", "slow:Slow", "--target", "1", "-o", "a.npz"]
    done = subprocess.run(
        [sys.executable, "-c", USUAL, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Note: interrupted after 3 of 192 steps: this is the best so far" in done.stderr
    assert done.returncode == 128 + number
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != "") == ["a.npz", "slow.py"]
    with np.load(tmp_path / "a.npz") as saved:
        assert saved["history"].shape[0] == 3


TWICE = """
import os, signal
from crosslens.optim.loop import long_run
import numpy as np

def evaluate(x, step):
    if step == 2:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
    return (x**2).sum(axis=1), 2 * x

long_run(evaluate, np.ones((1, 2), np.float32), 5)
"""


def test_a_second_signal_kills_at_once():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, check=False)
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("number", NUMBERS[:2], ids=NAMES[:2])
def test_a_signal_in_the_middle_of_an_import_can_end_the_process_with_one_line(number, tmp_path):
    """As a compiled library would abort, the module hides what is raised in it."""
    (tmp_path / "slow.py").write_text(
        f"import os\ntry: os.kill(os.getpid(), {int(number)})\nexcept BaseException: pass"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from crosslens.execution.interrupt import stop_on_signals\n"
        "with stop_on_signals(end_imports=True): import slow\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "Interrupted\n")
