"""Calls on several threads at the same time, their results in order and few of them ahead of who reads them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

P = TypeVar("P")
R = TypeVar("R")


def in_order(call: Callable[[P], R], parts: Iterable[P], at_once: int) -> Iterator[R]:
    """What the call gives for each part, in order.

    Args:
        call: from any thread.
        parts: its arguments; the next one is taken when a result has been read.
        at_once: threads. Nothing runs before the first result is asked for; one result more than there are threads is
            computed or kept at most, and with one thread, the reader's own, none ahead.

    Raises:
        Exception: what a call raised, in its place. No call begins after that, nor after the iterator is closed, and
            those that run have ended then.
    """
    if at_once == 1:
        yield from map(call, parts)
        return
    ahead: deque[Future[R]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for part in parts:
                ahead.append(pool.submit(call, part))
                if len(ahead) > at_once:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for each in ahead:
                each.cancel()
