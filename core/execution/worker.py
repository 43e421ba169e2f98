"""What a worker does, whoever started it: opens the job that it received once, and answers each item.

Jobs, items and answers travel as bytes of pickle. An exception is an answer too: `answer_of` raises it again.
"""

import os
import pickle
import sys
import traceback
from contextlib import ExitStack
from typing import Any

from ..errors import CrosslensError, WorkerError
from .notices import silence

__all__ = ["Actor", "Worker", "answer_of", "packed"]

_MAIN = "a class of the script or notebook itself, or a local one, has to move to a module that workers can import"


def packed(job: Any) -> bytes:
    """The job as it travels to workers.

    Raises:
        CrosslensError: it cannot be pickled.
    """
    try:
        return pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
    except CrosslensError:
        raise
    except Exception as error:
        raise WorkerError(f"this work cannot be sent to workers: {_text(error)}; {_MAIN}, or use one worker") from error


def answer_of(answer: bytes) -> Any:
    """What a worker made of an item.

    Raises:
        Exception: what the worker raised, as it was.
    """
    made, error = pickle.loads(answer)
    if error is not None:
        raise error
    return made


class Worker:
    """A job, opened when its first item comes."""

    def __init__(self, job: bytes) -> None:
        self._job = job
        self._work: Any = None
        self._stack = ExitStack()

    def answer(self, item: bytes) -> bytes:
        """What the job makes of an item, or the exception that it raises."""
        made = None
        with _Kept() as kept:
            if self._work is None:
                self._open()
            made = self._work(pickle.loads(item))
        return _packed_answer(made, kept.error)

    def _open(self) -> None:
        self._stack.enter_context(silence())
        try:
            job = pickle.loads(self._job)
        except (AttributeError, ImportError) as error:
            raise WorkerError(f"a worker cannot open the work that it received: {_text(error)}; {_MAIN}") from error
        self._work = self._stack.enter_context(job.open())

    def close(self) -> None:
        """Close the job."""
        self._stack.close()


class Actor:
    """A worker in a process that is not this process's own: it takes the working folder and the import path with it."""

    def __init__(self, job: bytes, folder: str, path: list[str]) -> None:
        """`folder` and `path` as far as they exist here."""
        if os.path.isdir(folder):
            os.chdir(folder)
        sys.path += [each for each in path if each not in sys.path]
        self._worker = Worker(job)

    def answer(self, *item: Any) -> bytes:
        """As `Worker.answer`; without an item, as soon as it can be asked."""
        return self._worker.answer(pickle.dumps(item[0])) if item else b""


class _Kept:
    """Keeps the exception of a block, for somebody else to raise; what ends the process is none of them."""

    error: Exception | None = None

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def _packed_answer(made: Any, error: Exception | None) -> bytes:
    if error is not None and not isinstance(error, CrosslensError):
        error.add_note("".join(["In a worker:\n", *traceback.format_exception(error)]))
    with _Kept() as kept:
        answer = pickle.dumps((made, error), protocol=pickle.HIGHEST_PROTOCOL)
        if error is not None:
            pickle.loads(answer)  # an exception whose constructor takes more than its text cannot come back
    if kept.error is not None:
        text = _text(error or kept.error)
        answer = pickle.dumps((None, WorkerError(f"a worker failed, and what it gave cannot be sent back: {text}")))
    return answer


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
