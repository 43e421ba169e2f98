"""A map over items on several threads: results in order, and few of them computed before they are read."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_in_order"]

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
