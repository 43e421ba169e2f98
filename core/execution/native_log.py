"""Start-up lines that compiled libraries log to stderr, kept off the terminal of a command.

They are written to the file descriptor from C++, before any level can be set: `filter_native_log` turns the descriptor
to a small process, this file run as a script, which passes on all other lines, also those of a library that dies.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

__all__ = ["filter_native_log", "is_filtered"]

_STDERR = 2
_LONGEST_WAIT = 2.0
"""Seconds to wait for the last lines; a process that was started in between may hold the pipe for longer."""
_STARTUP = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] "  # absl: I0000 00:00:1795906652.690501   29541 port.cc:153] ...
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IW] \S+:\d+\] "  # the older form: 2024-05-01 10:00:00.123456: I path/file.cc:210] ...
    rb"|(E\d{4} [\d:.]+ +\d+|\d{4}-\d\d-\d\d [\d:.]+: E) \S*cuda\S*:\d+\] "  # no GPU, or a factory registered twice
    rb"|To enable the following instructions: "
)
_filtered = False
"""Whether a `filter_native_log` around this one has the descriptor; written in the main thread only."""


def is_filtered() -> bool:
    """Whether start-up lines are kept off stderr at the moment."""
    return _filtered


@contextmanager
def filter_native_log() -> Iterator[None]:
    """Keep the start-up lines of compiled libraries off stderr, those of processes started in between too.

    What Python itself writes to `sys.stderr` goes there directly. Does nothing inside another such block, where
    `sys.stderr` is not the process's own, and where TF_CPP_MIN_LOG_LEVEL asks for such lines (0 or 1).
    """
    global _filtered  # noqa: PLW0603 - the descriptor is the process's own
    asked = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in {"0", "1"}
    if _filtered or asked or sys.stderr is not sys.__stderr__ or not isinstance(sys.stderr, TextIOWrapper):
        yield
        return
    before = sys.stderr
    words = [sys.executable, "-I", "-S", __file__]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    kept = os.dup(_STDERR)
    with child.stdin as pipe:  # type: ignore[union-attr]
        os.dup2(pipe.fileno(), _STDERR)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding=before.encoding, errors=before.errors)
    _filtered = True
    try:
        yield
    finally:
        _filtered = False
        os.dup2(kept, _STDERR)
        with suppress(OSError):
            sys.stderr.close()
        sys.stderr = before
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LONGEST_WAIT)


def _pass_on() -> None:
    """Copy stdin to stderr line by line, without start-up lines, until every writer has closed it."""
    for line in sys.stdin.buffer:
        if not _STARTUP.match(line):
            os.write(_STDERR, line)


if __name__ == "__main__":
    _pass_on()
