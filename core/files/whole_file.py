"""Output files that are written whole or not at all: under a temporary name beside the file, renamed at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from ..errors import CrosslensError, ImageError
from .kept_files import check_columns, check_target, remember_written

__all__ = ["whole_file", "writable_folder", "write_bytes", "write_text"]

_LONGEST_SUFFIX = 24
"""Letters; a longer ending of a name is not one that says what a file is."""


@contextmanager
def whole_file(path: str | Path, error: type[CrosslensError] = ImageError, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends without an error.

    The temporary file exists, is empty, and has the suffix of `path`; its name is a point and sixteen hexadecimal
    digits. After an error or an interruption it is removed, and what stood at `path` before is unchanged. A symbolic
    link stays: the file that it points to is replaced.

    Args:
        path: the file; its folder must exist. A new one gets the permissions that `open(path, "w")` would give, an
            existing one keeps its own.
        error: the class of the error for a file that cannot be written.
        durable: on the disk when the block ends. Not needed for one of thousands of files that are made again where
            they are missing or empty, which a machine that loses its power may leave.

    Raises:
        CrosslensError: of class `error`: no such folder, permission denied, disk full, no regular file; or a command
            keeps what stands there (`keep_files`).
    """
    target = _target(path, error)
    suffix = target.suffix if len(target.suffix) <= _LONGEST_SUFFIX else ""
    temporary = target.with_name(f".{os.urandom(8).hex()}{suffix}")
    try:
        mode = _existing_mode(target)
        check_target(Path(path))
        temporary.open("xb").close()
        yield temporary
        if durable:
            _flush(temporary)
        check_columns(Path(path), temporary)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
        remember_written(target)
        if durable:
            _flush_folder(target.parent)
    except OSError as failed:
        raise error(f"cannot write '{path}': {_reason(failed, target.parent)}") from failed
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(
    path: str | Path, content: bytes, error: type[CrosslensError] = ImageError, *, durable: bool = True
) -> Path:
    """As `whole_file`, for content that is there."""
    with whole_file(path, error, durable=durable) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_text(path: str | Path, text: str, error: type[CrosslensError] = ImageError, *, durable: bool = True) -> Path:
    """As `whole_file`, for a text in UTF-8.

    What UTF-8 cannot hold, bytes of a file's name that are no text, is written escaped, as JSON has it: "\\udce9".
    """
    return write_bytes(path, text.encode("utf-8", "backslashreplace"), error, durable=durable)


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


def _target(path: str | Path, error: type[CrosslensError]) -> Path:
    """The file that will be replaced, behind all links.

    Raises:
        CrosslensError: the path is no path, or its links lead nowhere.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_symlink():
            raise error(f"cannot write '{path}': its symbolic links lead back to themselves")
    except (ValueError, OSError) as failed:
        raise error(f"cannot write '{path}': {getattr(failed, 'strerror', None) or failed}") from failed
    return target


def _existing_mode(target: Path) -> int | None:
    """The permissions of the file that will be replaced; None where there is none.

    Raises:
        OSError: it is a folder, a pipe or a device, or must not be written to.
    """
    if not target.exists():
        return None
    if not target.is_dir() and not target.is_file():
        raise OSError(None, "it is a pipe or a device, not a regular file")
    with target.open("r+b") as file:
        return S_IMODE(os.fstat(file.fileno()).st_mode)


def _reason(failed: OSError, folder: Path) -> str:
    with suppress(OSError):
        if not folder.is_dir():
            return f"the folder '{folder}' does not exist"
    if isinstance(failed, PermissionError) and not os.access(folder, os.W_OK):
        return f"no permission to write into the folder '{folder}'"
    return failed.strerror or str(failed)


def _flush(file: Path) -> None:
    """Have the operating system write the file's contents to the disk."""
    with file.open("r+b") as written:
        os.fsync(written.fileno())


def _flush_folder(folder: Path) -> None:
    """Have it write the new name too, where folders can be opened."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
