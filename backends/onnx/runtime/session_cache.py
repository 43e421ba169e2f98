"""A bounded cache of open sessions: the one unused for longest is closed first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

__all__ = ["MOST", "MOST_BYTES", "SessionCache"]

MOST = 16
"""Maximum number of open sessions of a network."""
MOST_BYTES = 4 << 30
"""Maximum bytes of constants of all open sessions; onnxruntime keeps a rearranged copy of most constants.
VGG-16 alone, whose forward pass, gradient and linearisation are four sessions, comes to 3 GiB.
"""


class SessionCache:
    """A bounded cache, safe for threads: one thread at a time builds what is missing."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._open: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()
        self._most, self._most_bytes = most, most_bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled empty: sessions belong to a process."""
        return type(self), (self._most, self._most_bytes)

    def __len__(self) -> int:
        return len(self._open)

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """The entry of `key`, built if it is missing; then the least recently used entries go until the rest fits."""
        with self._lock:
            if key not in self._open:
                self._open[key] = build()
            self._open.move_to_end(key)
            while len(self._open) > 1 and self._too_much():
                self._open.popitem(last=False)
            return self._open[key]

    def _too_much(self) -> bool:
        return (
            len(self._open) > self._most or sum(getattr(e, "nbytes", 0) for e in self._open.values()) > self._most_bytes
        )
