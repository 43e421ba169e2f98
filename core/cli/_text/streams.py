"""stdout and stderr as a shell leaves them: closed, on a full disk, or a pipe whose reader ends early."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

__all__ = ["drop_unwritten", "escape_what_is_no_text", "open_closed_streams", "tell_disk_errors", "write_bytes"]

_NOT_WRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EBADF, errno.EFBIG}
"""Errors of a disk that is full, or may not be written to, and of a stdout that was closed."""
_NO_NAMES = {errno.ENAMETOOLONG, errno.ELOOP}
"""Errors of a name that is too long, or of links that lead back to themselves."""
_SHOWN = 80


def open_closed_streams() -> None:
    """Where a process has no stdout or stderr (`>&-`): writing to stdout fails, with a line; stderr is lost."""
    for number, name, mode in ((1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


@contextmanager
def tell_disk_errors() -> Iterator[None]:
    """Make one line and exit code 1 of what could not be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITTEN | _NO_NAMES:
            raise
        said = f"cannot write what was asked for: {error.strerror}"
        if error.errno in _NO_NAMES:
            said = f"{shorten(str(error.filename))} cannot be the name of a file here: {error.strerror}"
        with suppress(OSError):
            click.echo(f"Error: {said}", err=True)
        sys.exit(1)


def shorten(name: str) -> str:
    """A file's name in quotes; of a very long one its beginning and its end."""
    return f"'{name}'" if len(name) <= _SHOWN else f"'{name[:40]}...{name[-20:]}' ({len(name)} letters)"


def escape_what_is_no_text() -> None:
    """Print names of files whose bytes are no text escaped, "caf\\udce9.png", where Python would end in an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def drop_unwritten() -> None:
    """Forget what stdout could not take: Python would try it again as the process ends, and fail with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_bytes(data: bytes) -> None:
    """All of these bytes to stdout; an unbuffered stream (PYTHONUNBUFFERED) may take a part of them at a time.

    Raises:
        OSError: they cannot be written; BrokenPipeError: the reader has ended.
    """
    stream, left = sys.stdout.buffer, memoryview(data)
    while left:
        left = left[stream.write(left) :]
    stream.flush()
