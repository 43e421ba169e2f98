"""How much memory this process may take: a stated limit, asked before something large is made."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MemoryLimitError, ParameterError

__all__ = [
    "ENVIRONMENT",
    "check_memory",
    "free_memory",
    "memory_limit",
    "parse_memory",
    "readable_size",
    "resident_memory",
    "set_memory_limit",
    "shared_limit",
]

ENVIRONMENT = "CROSSLENS_MEMORY_LIMIT"
"""The environment variable that states the limit, as `parse_memory` reads it."""
SHARE = 0.75
"""Of the memory that is free when the limit is first asked for; what the process has then comes on top."""
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_UNKNOWN = 1 << 62
_chosen: list[int] = []
"""The limit, once it is chosen."""


def memory_limit() -> int:
    """Bytes that this process may take in all.

    What `set_memory_limit` or the environment variable CROSSLENS_MEMORY_LIMIT says; else what it has when this is first
    called, and three quarters of what is free then.

    Raises:
        ParameterError: the environment variable is no size.
    """
    if not _chosen:
        given = os.environ.get(ENVIRONMENT, "").strip()
        _chosen.append(parse_memory(given, ENVIRONMENT) if given else resident_memory() + int(SHARE * free_memory()))
    return _chosen[0]


def set_memory_limit(limit: int | str | None) -> None:
    """State the limit: a number of bytes, a text such as "8GB", or None for the default.

    Raises:
        ParameterError: it is no size.
    """
    _chosen[:] = [] if limit is None else [parse_memory(limit)]


@contextmanager
def shared_limit(processes: int) -> Iterator[None]:
    """Within the block processes are started with their share of the limit, by the environment variable."""
    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = str(max(1, memory_limit() // max(1, processes)))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ENVIRONMENT, None)
        else:
            os.environ[ENVIRONMENT] = before


def parse_memory(size: int | str, name: str = "the memory limit") -> int:
    """A size as bytes: 8GB, 500M, 1.5GiB, 8000000000.

    >>> parse_memory("1.5GiB")
    1610612736

    Args:
        size: a number of bytes, or a text; K, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024.
        name: what the size is of, for the message.

    Raises:
        ParameterError: it is no size, or not positive.
    """
    found = re.fullmatch(r"(\d{1,20}(?:\.\d{0,9})?)\s*([KMGT]?I?)B?", str(size).strip().upper())
    bytes_ = int(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else 0
    if bytes_ < 1:
        raise ParameterError(f"{name} is {str(size)[:40]!r}; write a size such as 8GB, 500MB or 1.5GiB")
    return bytes_


def check_memory(needed: int, what: str, advice: str) -> None:
    """Refuse work that would take more memory than the limit leaves.

    Args:
        needed: bytes, beside what the process has.
        what: what needs them, as the subject of the message: "'bomb.png', 20000 x 20000 pixels,".
        advice: what to do instead.

    Raises:
        MemoryLimitError: with the sizes and what raises the limit.
    """
    limit, taken = memory_limit(), resident_memory()
    if needed > limit - taken:
        raise MemoryLimitError(
            f"{what} would take {readable_size(needed)} of memory beside the {readable_size(taken)} taken, and the "
            f"limit is {readable_size(limit)}: {advice}; --memory-limit or {ENVIRONMENT} changes the limit"
        )


def readable_size(size: int) -> str:
    """A number of bytes for a reader.

    >>> readable_size(5_900_000_000)
    '5.9 GB'
    """
    for unit, name in ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            share = size / unit
            return f"{share:.1f} {name}" if share < 10**4 else f"{share:.2g} {name}"
    return f"{size / 1000:.0f} kB"


def resident_memory() -> int:
    """Bytes of memory that this process has; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    return 0


def free_memory() -> int:
    """Bytes that this process can still get, of the machine and of its control group."""
    return min(_of_machine(), *_of_group())


def _of_machine() -> int:
    with suppress(OSError, ValueError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * _PAGE // 2
    return _UNKNOWN


def _of_group() -> tuple[int, ...]:
    """What a container leaves, where there is one (control groups, versions 2 and 1)."""
    groups = [
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ]
    left = [_UNKNOWN]
    for most, now in groups:
        with suppress(OSError, ValueError):
            left.append(max(0, int(Path(most).read_text()) - int(Path(now).read_text())))
    return tuple(left)
