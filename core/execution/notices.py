"""Notices: what a reader must know (notes of results, defaults that were taken), told to the logger "crosslens".

Each text is told once a process, at WARNING, and none that differs from it in numbers alone, as notes of two pictures
do. Without any set-up of `logging` Python prints it to stderr, in a notebook under the cell. The usual means of
`logging` send it elsewhere or silence it:

    logging.getLogger("crosslens").setLevel(logging.ERROR)

The command line prints notes itself and silences this logger.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

__all__ = ["forget_notices", "notice", "notices_of", "silence", "withhold"]

_LOGGER = logging.getLogger("crosslens")
_withheld: ContextVar[bool] = ContextVar("withheld", default=False)
_told: set[str] = set()
_NUMBER = re.compile(r"(?<![\w'./-])-?\d+(\.\d+)?(e[+-]?\d+)?(?![\w'])")
"""A number that stands alone, not within a name such as 'layer4.1'."""
_lock = Lock()


def notice(message: str) -> None:
    """Tell a message, unless it was told before. One that nobody would see, the logger being silenced, is not told."""
    if _withheld.get() or not _LOGGER.isEnabledFor(logging.WARNING):
        return
    text = " ".join(message.split())
    kind = _NUMBER.sub("#", text)
    with _lock:
        if kind in _told:
            return
        _told.add(kind)
    _LOGGER.warning("%s", text if _LOGGER.hasHandlers() else f"crosslens: {text}", stacklevel=2)


def notices_of(name: str, notes: Iterable[str]) -> None:
    """Tell each note of a result by the method of this name."""
    for note in notes:
        notice(f"{name}: {note}")


def forget_notices() -> None:
    """Start anew: each message is told once more."""
    with _lock:
        _told.clear()


@contextmanager
def withhold() -> Iterator[None]:
    """Tell nothing within this block, which runs a method for a purpose of its own; the thread's own notices only."""
    token = _withheld.set(True)
    try:
        yield
    finally:
        _withheld.reset(token)


@contextmanager
def silence() -> Iterator[None]:
    """Silence the logger within this block, on all threads: its caller prints notes itself."""
    level = _LOGGER.level
    _LOGGER.setLevel(logging.ERROR)
    try:
        yield
    finally:
        _LOGGER.setLevel(level)
