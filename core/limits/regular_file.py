"""What is read must be a regular file: a named pipe would wait for ever, a device never ends."""

import os
import stat
from pathlib import Path

from ..errors import CrosslensError

__all__ = ["check_regular_file"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular_file(path: str | Path, error: type[CrosslensError], what: str) -> int:
    """The size in bytes of a file that can be read: a regular one that is not empty. Symbolic links are followed.

    The file is not opened, so this returns at once for pipes and devices too.

    Args:
        path: the file.
        error: the class of the error.
        what: what the file should be, "model" or "picture", for the message.

    Raises:
        CrosslensError: of class `error`: no such file, a folder, pipe, socket or device, an empty file, or one that
            this user must not read.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as failed:
        raise error(f"no {what} at '{path}': the file does not exist") from failed
    except (OSError, ValueError) as failed:
        raise error(f"no {what} at '{path}': {getattr(failed, 'strerror', None) or failed}") from failed
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise error(f"'{path}' is {name}, not a regular file; give the {what} as a regular file")
    if not status.st_size:
        raise error(f"'{path}' is empty (0 bytes); give a {what} that was written to its end")
    if not os.access(path, os.R_OK):
        raise error(f"cannot read the {what} '{path}': permission denied")
    return status.st_size
