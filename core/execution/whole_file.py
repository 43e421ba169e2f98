"""Output files that are written whole or not at all: under a temporary name beside the file, renamed at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from ..errors import CrosslensError, ImageError

__all__ = ["whole_file", "writable_folder"]


@contextmanager
def whole_file(path: str | Path, error: type[CrosslensError] = ImageError) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends without an error.

    The temporary file exists, is empty, and has the suffix of `path`. After an error or an interruption it is removed,
    and what stood at `path` before is unchanged. A symbolic link stays: the file that it points to is replaced.

    Args:
        path: the file; its folder must exist. A new one gets the permissions that `open(path, "w")` would give, an
            existing one keeps its own.
        error: the class of the error for a file that cannot be written.

    Raises:
        CrosslensError: of class `error`: no such folder, permission denied, disk full.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{os.urandom(8).hex()}{target.suffix}")
    try:
        mode = _existing_mode(target)
        temporary.open("xb").close()
        yield temporary
        _flush(temporary)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except OSError as failed:
        raise error(f"cannot write '{path}': {_reason(failed, target.parent)}") from failed
    finally:
        with suppress(OSError):
            temporary.unlink()


def writable_folder(path: Path, error: type[CrosslensError] = CrosslensError) -> None:
    """Make a folder if it does not exist.

    Raises:
        CrosslensError: of class `error`: it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failed:
        raise error(f"cannot make the folder '{path}': {failed.strerror}") from failed
    if not os.access(path, os.W_OK):
        raise error(f"cannot write into the folder '{path}': permission denied")


def _existing_mode(target: Path) -> int | None:
    """The permissions of the file that will be replaced; None where there is none.

    Raises:
        OSError: it is a folder, or must not be written to.
    """
    if not target.exists():
        return None
    with target.open("r+b") as file:
        return S_IMODE(os.fstat(file.fileno()).st_mode)


def _reason(failed: OSError, folder: Path) -> str:
    if not folder.is_dir():
        return f"the folder '{folder}' does not exist"
    if isinstance(failed, PermissionError) and not os.access(folder, os.W_OK):
        return f"no permission to write into the folder '{folder}'"
    return failed.strerror or str(failed)


def _flush(file: Path) -> None:
    """Have the operating system write the file's contents to the disk."""
    with file.open("r+b") as written:
        os.fsync(written.fileno())
