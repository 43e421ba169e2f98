"""The process of a case, from its start to its end, and the watch over its time and memory."""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .case import Case, Ending
from .inside import environment_of, run_inside

__all__ = ["Process", "Seen"]

MOST = 6_000_000_000
"""Bytes at which a process is killed, so that the machine lives: twice the stated limit."""
_GRACE = 5.0
"""Seconds in which ctrl-C must be heard once the time is over."""


@dataclass
class Seen:
    """What the watch saw of a process."""

    ending: Ending = field(default_factory=lambda: Ending(0, "", ""))
    report: dict[str, Any] = field(default_factory=dict)
    peak: int = 0
    """Bytes, of the process and of those that it started."""
    seconds: float = 0.0
    late: bool = False
    """Its time was over, and ctrl-C ended it."""
    hung: bool = False
    """Its time was over, and it did not hear ctrl-C."""
    large: bool = False
    """It was killed for its memory."""


class Process:
    """A started case. Ask `poll` every few hundredths of a second until it gives what was seen."""

    def __init__(self, case: Case, programs: Path, patience: float = 1.0) -> None:
        self.limit, self.grace = case.seconds * patience, _GRACE * patience
        self.case, self.seen = case, Seen()
        self.files = [case.folder.parent / f"{case.folder.name}.{name}" for name in ("out", "err", "report")]
        (case.folder / "home").mkdir(exist_ok=True)
        streams = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND) for path in self.files[:2]]
        self.started = time.monotonic()
        self.signals = sorted(case.signals)
        self.child = _popen(case, programs, streams) if case.script is not None else None
        self.id = self.child.pid if self.child else _fork(case, programs, streams)
        for each in streams:
            os.close(each)

    def poll(self) -> Seen | None:
        """What was seen, once the process has ended."""
        self.seen.seconds = time.monotonic() - self.started
        while self.signals and self.seen.seconds >= self.signals[0][0]:
            self._send(self.signals.pop(0)[1])
        self.seen.peak = max(self.seen.peak, _peak_of(self.id))
        code = self._code()
        if code is None:
            self._watch()
            return None
        self._send(signal.SIGKILL)
        out, err = (path.read_bytes().decode("utf-8", "backslashreplace") for path in self.files[:2])
        with suppress(OSError, ValueError):
            self.seen.report = json.loads(self.files[2].read_bytes())
        for path in self.files:
            path.unlink(missing_ok=True)
        self.seen.ending = Ending(code, out, err)
        return self.seen

    def _watch(self) -> None:
        if self.seen.peak > MOST:
            self.seen.large = True
            self._send(signal.SIGKILL)
        elif self.seen.seconds > self.limit + self.grace:
            self.seen.late, self.seen.hung = False, True
            self._send(signal.SIGKILL)
        elif self.seen.seconds > self.limit and not self.seen.late:
            self.seen.late = True
            self._send(signal.SIGINT)

    def _code(self) -> int | None:
        if self.child:
            return self.child.poll()
        ended, status, usage = os.wait4(self.id, os.WNOHANG)
        if not ended:
            return None
        self.seen.peak = max(self.seen.peak, usage.ru_maxrss * 1024)
        return os.waitstatus_to_exitcode(status)

    def _send(self, number: int) -> None:
        """A signal to the process and, as a terminal does, to those that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, number)


def _fork(case: Case, programs: Path, streams: list[int]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        run_inside(case, programs, (streams[0], streams[1]))
    finally:
        os._exit(111)


def _popen(case: Case, programs: Path, streams: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", f"exec {case.script}" if case.signals else str(case.script)],
        cwd=case.folder,
        env=environment_of(case, programs),
        stdin=subprocess.DEVNULL,
        stdout=streams[0],
        stderr=streams[1],
        start_new_session=True,
    )


def _peak_of(process: int) -> int:
    """Peak memory of a process, in bytes, and of those that it started."""
    found = 0
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        found = int(match[1]) * 1024 if (match := re.search(r"VmHWM:\s+(\d+)", status)) else 0
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        found += sum(_peak_of(int(each)) for each in children)
    return found
