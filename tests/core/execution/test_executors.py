"""Executors: the same answers whoever does the work, and nothing that hangs or stays behind when a worker is lost."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from crosslens.errors import LayerError, ParameterError, WorkerError
from crosslens.execution.executor import Job, Local
from crosslens.execution.processes import Processes
from crosslens.execution.ray import OnRay


@dataclass(frozen=True)
class Power(Job):
    """Opens with a base; an item is an exponent, or a word that makes it fail."""

    base: int

    @contextmanager
    def open(self):
        yield self.work

    def work(self, item):
        if item == "error of ours":
            raise LayerError("no layer 'x'")
        if item == "error of Python":
            return 1 // 0
        if item == "not picklable":
            return lambda: None
        if item == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "threads":
            return (
                os.environ["OMP_NUM_THREADS"],
                os.environ["TF_NUM_INTRAOP_THREADS"],
                os.environ["OPENBLAS_NUM_THREADS"],
            )
        if item == "offline":
            return os.environ.get("HF_HUB_OFFLINE")
        if item == "who":
            time.sleep(0.05)
            return os.getpid()
        return self.base**item


def refuse_other_answers(executor):
    """Each item comes back once; exceptions come back as they were; items are read as workers become free."""
    read = []
    items = (read.append(n) or n for n in range(40))
    made = executor.run(Power(3), items)
    first = next(made)
    assert len(read) <= 2 * getattr(executor, "workers", 1) + 1
    assert sorted([first, *made]) == [(n, 3**n) for n in range(40)]
    with pytest.raises(LayerError, match="no layer 'x'"):
        list(executor.run(Power(3), ["error of ours", 2]))


@pytest.mark.parametrize("executor", [Local(), Processes(1), Processes(2)], ids=["local", "1 process", "2 processes"])
def test_items_errors_and_order_are_the_same_whoever_does_the_work(executor):
    refuse_other_answers(executor)


def test_without_items_nothing_is_started():
    assert list(Processes(2).run(Power(3), [])) == []


def test_errors_of_python_say_where_in_the_worker_they_were():
    with pytest.raises(ZeroDivisionError) as raised:
        list(Processes(1).run(Power(3), ["error of Python"]))
    assert "return 1 // 0" in raised.value.__notes__[0]


def test_what_cannot_be_sent_is_refused_in_a_line():
    with pytest.raises(WorkerError, match=r"cannot be sent to workers: .*local object"):
        list(Processes(1).run(local_job(), [1]))
    with pytest.raises(WorkerError, match="what it gave cannot be sent back"):
        list(Processes(1).run(Power(3), ["not picklable"]))


def local_job():
    class Here(Power):
        pass

    return Here(3)


def test_a_process_that_is_killed_is_a_clear_line_and_the_others_end():
    running = Processes(2).run(Power(3), ["who", "who", "who", "who", "killed", *["who"] * 100])
    pids = set()
    with pytest.raises(WorkerError, match=r"a worker process \(\d+\) was killed by signal 9 \(SIGKILL\) during killed"):
        pids |= {pid for _, pid in running}
    assert not any(map(is_alive, pids))


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"pip install 'crosslens\[ray\]'"):
        list(OnRay(workers=1).run(Power(3), [1]))


def test_a_closed_iterator_ends_the_workers():
    running = Processes(1).run(Power(3), ["who"] * 100)
    _, pid = next(running)
    running.close()
    assert not is_alive(pid)


def test_workers_start_with_the_threads_that_were_asked_for_and_leave_the_environment_as_it_was():
    before = dict(os.environ)
    assert [made for _, made in Processes(1, threads=3).run(Power(3), ["threads"])] == [("3", "3", "3")]
    assert dict(os.environ) == before


@pytest.mark.parametrize("wrong", [0, -1, True, "2"])
def test_numbers_of_workers_and_threads_that_nobody_has_are_refused(wrong):
    with pytest.raises(ParameterError, match=f"workers is {wrong!r}; give a whole number from 1 on"):
        Processes(wrong)
    with pytest.raises(ParameterError, match="threads is"):
        OnRay(workers=1, threads=wrong)


SCRIPT = """
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs do not have

from crosslens.execution.processes import Processes
from tests.core.execution.test_executors import Power

for _, made in Processes(1).run(Power(2), ["who"] * 200):
    print(made, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(number):
    """SIGINT goes to the whole group, as a terminal sends it; a script needs no guard around what it runs."""
    path = os.pathsep.join(each for each in sys.path if each)
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    pid = int(script.stdout.readline())
    (os.kill if number == signal.SIGKILL else os.killpg)(script.pid, number)
    _, errors = script.communicate(timeout=60)
    assert errors.count("Traceback") == (number == signal.SIGINT), errors
    until = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_alive(pid)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
