"""stdout and stderr as a shell leaves them: closed, full, or read in part only. As processes, since they are theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = f"{sys.executable} -m crosslens"
BYTES = (
    f"{sys.executable} -c 'from crosslens.cli._text import streams; "
    + """streams.write_bytes(bytes(10**6)); print("all")'"""
)


def shell(line, **variables):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=os.environ | variables)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_ends_early_is_no_success(unbuffered):
    """Unbuffered streams take what the pipe holds, and say nothing of the rest."""
    line = f"{BYTES} 2>/dev/null | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}"
    assert shell(line, PYTHONUNBUFFERED=unbuffered).stdout == "1\n"
    assert shell(f"{BYTES} | wc -c", PYTHONUNBUFFERED=unbuffered).stdout == "1000004\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize(("words", "unbuffered"), [("--help", ""), ("--version", "1"), ("methods --json", "")])
def test_a_full_disk_is_told_in_a_line(words, unbuffered):
    done = shell(f"{START} {words} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write what was asked for: No space left on device\n"


def test_a_closed_stdout_is_told_in_a_line():
    done = shell(f"{START} methods >&-")
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write what was asked for: Bad file descriptor\n"


def test_a_closed_stderr_stops_nothing():
    done = shell(f"{START} methods 2>&-")
    assert (done.returncode, done.stdout) == (0, shell(f"{START} methods").stdout)
    assert shell(f"{START} methods nosuch 2>&-").returncode == 1
