"""Worker processes on this machine."""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, current_process
from types import ModuleType
from typing import Any

from ..errors import WorkerError
from ..limits.memory import shared_limit
from ..limits.memory_watch import memory_watch
from .executor import Executor, Item, Job, Made, check_workers
from .threads import threads_at_start
from .worker import Worker, answer_of, packed

__all__ = ["Processes"]

_END = b""
"""Travels instead of an item when there is none left."""
_SECONDS_TO_END = 5.0
_FROM_TERMINAL = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
"""Signals that a terminal sends to workers as well; whoever started them ends them."""


class Processes(Executor[Item, Made]):
    """Processes of this machine, started anew, each with a number of threads of its own.

    Each opens the job once and has one item at a time. They end with this process, whatever ends it. A script whose own
    classes travel with the job needs `if __name__ == "__main__":` around what it runs; others need nothing.
    """

    def __init__(self, workers: int, threads: int = 1) -> None:
        check_workers(workers, threads)
        self.workers, self.threads = workers, threads

    def __repr__(self) -> str:
        return f"<Processes: {self.workers} of {self.threads} threads>"

    def run(self, job: Job[Item, Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
        _refuse_in_a_start()
        content, left = packed(job), iter(items)
        alone = b"__main__" not in content
        first = list(islice(left, self.workers))
        team = list[_Process]()
        try:
            with _start_of_processes(self.threads, len(first), alone=alone):
                team += [_Process(number, alone) for number in range(len(first))]
            for each, item in zip(team, first, strict=True):
                each.send(content)
                each.give(item)
            yield from _answers(team, left)
            for each in team:
                each.end()
        finally:
            for each in team:
                each.kill()


class _Process:
    """One worker, and the item that it has."""

    def __init__(self, number: int, alone: bool) -> None:
        """`alone` says whether it does without the user's script, see `_start_of_processes`."""
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs,), name=f"crosslens worker {number}", daemon=True
        )
        self.process.start()
        theirs.close()
        self.item: Any = None
        self._alone = alone

    def send(self, content: bytes) -> None:
        with suppress(OSError):  # one that died is told of when its answer is read
            self.pipe.send_bytes(content)

    def give(self, item: Any) -> None:
        self.item = item
        self.send(pickle.dumps(item))

    def answer(self) -> Any:
        """What it made of its item; the process has answered or ended.

        Raises:
            WorkerError: it has ended.
            Exception: what the job raised.
        """
        try:
            answer = self.pipe.recv_bytes() if self.pipe.poll() else None
        except (EOFError, OSError):
            answer = None
        if answer is None:
            self.process.join(_SECONDS_TO_END)
            raise WorkerError(_lost(self.process, self.item, self._alone))
        return answer_of(answer)

    def end(self) -> None:
        """Let it close the job."""
        self.send(_END)
        self.process.join(_SECONDS_TO_END)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _answers(team: list[_Process], left: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Items and what was made of them; each worker has its next item before the answer is given out."""
    busy = list(team)
    while busy:
        signs = {sign: each for each in busy for sign in (each.pipe, each.process.sentinel)}
        for each in dict.fromkeys(signs[sign] for sign in wait(list(signs))):  # type: ignore[index]
            item, made = each.item, each.answer()
            try:
                each.give(next(left))
            except StopIteration:
                busy.remove(each)
            yield item, made


def _lost(process: BaseProcess, item: Any, alone: bool) -> str:
    code = process.exitcode
    if code == 1 and not alone:
        return (
            "a worker process could not import this script, whose own classes it needs; what it said is above. Put "
            "what the script runs under if __name__ == '__main__':, or the classes into a module of their own"
        )
    if code is not None and code < 0:
        how = f"was killed by signal {-code} ({signal.Signals(-code).name})"
    else:
        how = "ended" if code is None else f"ended with exit code {code}"
    return (
        f"a worker process ({process.pid}) {how} during {item}: often because memory ran out. Use fewer workers or a "
        "smaller batch_size; the same call then goes on from what was stored"
    )


def _refuse_in_a_start() -> None:
    """Refuse to start workers within a worker that is importing the user's script."""
    if getattr(current_process(), "_inheriting", False):
        raise WorkerError(
            "this script starts workers when it is imported, and workers import it: put what it runs under "
            "if __name__ == '__main__':"
        )


@contextmanager
def _start_of_processes(threads: int, count: int, *, alone: bool) -> Iterator[None]:
    """What processes that are started within the block inherit: threads, memory, a terminal's signals blocked.

    Args:
        threads: of each process.
        count: of processes, which share the limit of memory.
        alone: whether they can do without the user's script, which they would import.
    """
    main = sys.modules["__main__"]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _FROM_TERMINAL) if hasattr(signal, "pthread_sigmask") else None
    if alone:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        with threads_at_start(threads), shared_limit(count):
            yield
    finally:
        sys.modules["__main__"] = main
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _serve(pipe: Connection) -> None:
    """The life of a worker: the job comes first, then items; what it prints goes to stderr, stdout is the caller's."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(2, 1)
    with suppress(EOFError, OSError, KeyboardInterrupt), memory_watch():
        worker = Worker(pipe.recv_bytes())
        while item := pipe.recv_bytes():
            pipe.send_bytes(worker.answer(item))
        worker.close()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
