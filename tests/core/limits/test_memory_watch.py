"""A process is stopped before it takes more memory than it may."""

import signal
import subprocess
import sys

import pytest
from crosslens.limits import memory, memory_watch

pytestmark = pytest.mark.skipif(not memory.resident_memory(), reason="this system does not tell what a process has")

GROWING = """
import time, numpy as np
from crosslens.execution.interrupt import stop_on_signals
from crosslens.limits.memory import resident_memory, set_memory_limit
from crosslens.limits.memory_watch import memory_watch
set_memory_limit(resident_memory() + 1_000_000_000)
kept = [np.ones(90_000_000)]
with stop_on_signals(), memory_watch() as watch:
    try:
        for _ in range(100_000):
            kept.append(np.ones(25_000))
            time.sleep(0.001)
    except KeyboardInterrupt:
        print("saved", watch.exceeded)
"""


def test_work_is_stopped_near_the_limit_and_can_save_what_it_has():
    done = subprocess.run([sys.executable, "-c", GROWING], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("saved stopped: this process took"), done.stderr
    assert "--memory-limit" in done.stdout


def test_at_the_limit_the_process_ends_with_one_line():
    """Work that does not hear the first signal."""
    deaf = GROWING.replace("stop_on_signals(), ", "").replace(
        "try:", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    try:"
    )
    done = subprocess.run([sys.executable, "-c", f"import signal\n{deaf}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: stopped: ")
    assert done.stderr.count("\n") == 1


def test_one_signal_is_sent(monkeypatch):
    sent = []
    monkeypatch.setattr(memory_watch.os, "kill", lambda process, number: sent.append(number))
    monkeypatch.setattr(memory_watch, "memory_limit", lambda: 1000)
    watch = memory_watch.MemoryWatch()
    for taken in (100, 899, 900, 950):
        watch.look(taken)
    assert sent == [signal.SIGTERM]
    assert "limit is 1 kB" in watch.exceeded
