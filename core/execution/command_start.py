"""Ctrl-C while a command of crosslens is being imported: one line. Python would print where the imports were.

The package imports this before all else; importing it is what sets the handler. Other programs are left alone.
"""

import os
import signal
import sys
import threading

__all__ = ["end_start"]


def end_start(number: int, frame: object) -> None:
    """The handler: nothing is there yet to be saved. `stop_on_signals` replaces it once the command begins."""
    os.write(2, b"Interrupted\n")
    os._exit(128 + number)


def _is_command() -> bool:
    """Whether this process was started as `crosslens` or `python -m crosslens`; while -m is looked up, that is argv."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    return program == "-m" or os.path.splitext(os.path.basename(program))[0] == "crosslens"


def _is_default() -> bool:
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


if _is_command() and _is_default():
    signal.signal(signal.SIGINT, end_start)
