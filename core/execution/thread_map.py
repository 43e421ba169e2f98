"""Maps over items on other threads: results in order, and few of them computed before they are read."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

__all__ = ["map_in_order", "read_ahead"]

T = TypeVar("T")
R = TypeVar("R")


def map_in_order(call: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """The results of `call` for each item, in order.

    Args:
        call: run on any of the threads.
        items: its arguments; the next one is taken when a result has been read.
        threads: calls at the same time. Nothing runs before the first result is asked for; at most one result more
            than there are threads is computed ahead, and none with one thread, which is the reader's own.

    Raises:
        Exception: what a call raised, in its item's turn. No call begins after that, nor after the iterator is closed,
            and the calls that were running have ended by then.
    """
    if threads == 1:
        yield from map(call, items)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(call, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def read_ahead(read: Callable[[T], R], items: Iterable[T], ahead: int) -> Generator[R]:
    """The results of `read` for each item, in order, computed on one other thread while the caller uses those before.

    Args:
        read: called for one item at a time, in order.
        items: its arguments.
        ahead: results at most that are there, or under way, beyond the one that the caller has.

    Raises:
        Exception: what a call raised, in its item's turn. No call begins after that, nor after the iterator is closed.
    """
    context, pending = copy_context(), deque[Future[R]]()
    with ThreadPoolExecutor(1, "crosslens reads ahead") as pool:
        try:
            for item in items:
                pending.append(pool.submit(context.run, read, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
