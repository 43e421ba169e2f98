"""A lock on a folder that ends with the process that holds it, whatever ends that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ParameterError

__all__ = ["LOCK", "locked"]

LOCK = ".lock"
"""The file that is locked; it stays, empty."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else writes into this folder within the block.

    Raises:
        ParameterError: another process does.
    """
    try:
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise ParameterError(f"cannot write into the folder '{folder}': {error.strerror}") from error
    with file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise ParameterError(
                f"another process is writing '{folder}': wait until it ends, or name another folder"
            ) from error
        yield


def _lock(file: int) -> None:
    """Of the whole file, gone when it is closed.

    Raises:
        OSError: another process has it.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        flock(file, LOCK_EX | LOCK_NB)
