"""Text and JSON from files: sizes are compared with limits, what JSON would take is estimated before it is parsed."""

import json
from pathlib import Path
from typing import Any

from ..errors import CrosslensError
from ..limits.memory import check_memory
from ..limits.regular_file import check_regular_file

__all__ = ["parse_json", "read_content", "read_json_file", "read_text"]

_BYTES = {b"{": 240, b"[": 72, b",": 40, b'"': 25}
"""Of Python's objects for what begins, or ends, at such a character."""


def parse_json(content: bytes | str) -> Any:
    """What JSON text holds.

    Raises:
        ValueError: it is not JSON, not UTF-8, or nested too deeply; the text is the reason.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except ValueError as error:  # too many digits in a number, too
        raise ValueError(" ".join(str(error).split())) from error


def read_json_file(path: str | Path, error: type[CrosslensError], what: str) -> Any:
    """What a JSON file holds.

    Args:
        path: the file.
        error: the class of the error.
        what: what the file should be, for the message.

    Raises:
        CrosslensError: of class `error`: no regular file, or it cannot be read.
        ValueError: it is not JSON; the text is the reason.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    content = read_content(path, error, what)
    needed = len(content) + sum(size * content.count(mark) for mark, size in _BYTES.items())
    check_memory(needed, f"'{path}'", f"give a smaller {what}")
    return parse_json(content)


def read_content(path: str | Path, error: type[CrosslensError], what: str, most: int | None = None) -> bytes:
    """The bytes of a regular file, its size compared with a limit first.

    Args:
        path: the file.
        error: the class of the error.
        what: what the file should be, for the message.
        most: bytes that such a file has at most; the memory limit alone if not given.

    Raises:
        CrosslensError: of class `error`: no regular file, it cannot be read, or is too large.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    size = check_regular_file(path, error, what)
    if most is not None and size > most:
        raise error(f"'{path}' is larger than {most >> 20} MiB, which no {what} is")
    check_memory(size, f"'{path}'", f"give a smaller {what}")
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as failed:
        raise error(f"cannot read '{path}': {failed.strerror}") from failed


def read_text(path: str | Path, error: type[CrosslensError], what: str, most: int | None = None) -> str:
    """The text of a regular file in UTF-8; arguments and errors are those of `read_content`.

    Args:
        path: the file.
        error: the class of the error.
        what: what the file should be, for the message.
        most: bytes that such a file has at most; the memory limit alone if not given.

    Raises:
        CrosslensError: of class `error`: as of `read_content`, or it is not text in UTF-8.
    """
    try:
        return read_content(path, error, what, most).decode("utf-8-sig")
    except UnicodeDecodeError as failed:
        raise error(f"cannot read '{path}': it is not text in UTF-8") from failed
