"""A watch over this process's memory: work is stopped, as by ctrl-C, near the limit; at the limit the process ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from .memory import ENVIRONMENT, memory_limit, readable_size, resident_memory

__all__ = ["MemoryWatch", "memory_watch"]

STOP = 0.9
"""The share of the limit at which work is asked to stop: the rest is for saving what there is."""
_SECONDS = 0.05


class MemoryWatch:
    """What a watch saw."""

    exceeded: str | None = None
    """Why the work was stopped, as the text of an error; None while there is memory left."""

    def look(self, taken: int) -> None:
        """Stop this process's work by SIGTERM near the limit, and end the process with a line and exit code 1 at it.

        Args:
            taken: bytes that the process has.
        """
        limit = memory_limit()
        if taken >= limit:
            os.write(2, f"Error: {_text(taken, limit)}\n".encode())
            os._exit(1)
        if taken >= STOP * limit and self.exceeded is None:
            self.exceeded = _text(taken, limit)
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def memory_watch() -> Iterator[MemoryWatch]:
    """Watch this process while the block runs; nothing is watched where the system does not tell what a process has.

    It looks twenty times a second, from a thread of its own. Code that takes memory without letting Python run is seen
    when it returns.
    """
    watch, ended = MemoryWatch(), Event()
    if not resident_memory():
        yield watch
        return

    def look() -> None:
        while not ended.wait(_SECONDS):
            watch.look(resident_memory())

    memory_limit()
    thread = Thread(target=look, name="crosslens memory watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()


def _text(taken: int, limit: int) -> str:
    return (
        f"stopped: this process took {readable_size(taken)} of memory, and the limit is {readable_size(limit)}. Use "
        f"smaller or fewer pictures, or a smaller --batch-size; --memory-limit or {ENVIRONMENT} changes the limit"
    )
