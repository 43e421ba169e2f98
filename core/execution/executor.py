"""Executors: who does independent pieces of work, and where: this process, others on this machine, a cluster.

A `Job` says what is done with one item. It travels to each worker once, pickled (models by their recipe), and is opened
there; then items travel, and what was made of each comes back in the order in which it was finished. What an item gives
does not depend on who does it, so callers put the results in order themselves.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from ..errors import ParameterError

__all__ = ["Executor", "Job", "Local", "check_workers"]

Item = TypeVar("Item")
Made = TypeVar("Made")


class Job(ABC, Generic[Item, Made]):
    """What is done with one item; it can be pickled where an executor has other processes."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Callable[[Item], Made]]:
        """What a worker does with each item, as long as the block lasts: a model is loaded, files are opened."""


class Executor(ABC, Generic[Item, Made]):
    """Does a job on many items."""

    @abstractmethod
    def run(self, job: Job[Item, Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
        """Each item and what was made of it, in the order in which they are finished.

        Args:
            job: what is done with an item.
            items: read as workers become free.

        Raises:
            CrosslensError: what `job` raised, as it was; or a worker was lost.
        """


class Local(Executor[Item, Made]):
    """This process, one item after the other."""

    def run(self, job: Job[Item, Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
        with job.open() as work:
            for item in items:
                yield item, work(item)


def check_workers(workers: int, threads: int) -> None:
    """Refuse numbers of workers and threads that nobody can have.

    Raises:
        ParameterError: which one, and what it is.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ParameterError(f"{name} is {value!r}; give a whole number from 1 on")
