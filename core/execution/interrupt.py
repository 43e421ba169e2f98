"""Signals that end a process: the first one stops long work so that its best result is kept, the second one kills."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .command_start import end_start

__all__ = ["Interrupted", "stop_on_signals"]

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Ctrl-C, `kill` and job schedulers, a terminal that is closed; Windows has no SIGHUP."""
_REPLACED = {signal.SIG_DFL, signal.default_int_handler, end_start}
"""Handlers that nobody chose."""
_outer: "list[list[Interrupted]]" = []
"""What the `stop_on_signals` that has the handlers gave; read and written in the main thread only."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that ended by this signal: 130 for SIGINT."""
        return 128 + self.number


@contextmanager
def stop_on_signals(*, end_imports: bool = False) -> Iterator[list[Interrupted]]:
    """Raise `Interrupted`, a KeyboardInterrupt, at the first SIGINT, SIGTERM or SIGHUP; the second one kills at once.

    Gives a list, to which the signal received is added. The previous handlers come back when the block ends. Signals
    that are ignored (nohup) or have a handler of the user's own are left alone. Inside another such block this gives
    that one's list and does nothing else; outside the main thread it does nothing.

    Args:
        end_imports: while a module is being imported, end the process at once, with one line: compiled libraries can
            abort where Python raises in the middle of their start, and nothing is there to be saved.
    """
    received: list[Interrupted] = []
    if _outer or threading.current_thread() is not threading.main_thread():
        yield _outer[0] if _outer and threading.current_thread() is threading.main_thread() else received
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if previous[number] in _REPLACED]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
        if end_imports and _is_importing(frame):
            os.write(2, b"Interrupted\n")
            os._exit(Interrupted(number).exit_code)
        received.append(Interrupted(number))
        raise received[0]

    _outer.append(received)
    try:
        for number in taken:
            signal.signal(number, stop)
        yield received
    finally:
        for number in taken:
            signal.signal(number, previous[number])
        _outer.clear()


def _is_importing(frame: FrameType | None) -> bool:
    """Whether this frame was called by an `import`."""
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None
