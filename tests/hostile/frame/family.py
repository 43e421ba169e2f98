"""What a family is, and how its seed files are made without a framework running in this process."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .case import Case

__all__ = ["Family", "case_folder", "in_child"]


@dataclass(frozen=True)
class Family:
    """Cases of one kind of input.

    Args:
        name: of the family.
        named: given a folder, the fixed cases, each in a folder of its own in it.
        drawn: given a seed and a folder, cases without end; the same seed, the same cases.
        quick: how many named and how many drawn cases run with the tests.
        every: with the tests, one named case of so many.
    """

    name: str
    named: Callable[[Path], Iterator[Case]] | None = None
    drawn: Callable[[int, Path], Iterator[Case]] | None = None
    quick: tuple[int, int] = (0, 0)
    every: int = 1


def case_folder(folder: Path, name: object) -> Path:
    """A new folder for a case; characters that no file system knows are replaced."""
    text = "".join(each if each.isalnum() or each in "-_." else "_" for each in str(name))[:80]
    made = folder / text
    made.mkdir(parents=True, exist_ok=True)
    return made


def in_child(function: Callable[[], object]) -> None:
    """Call a function in a fork of this process, as frameworks that ran cannot be forked.

    Raises:
        RuntimeError: it failed; its traceback is on stderr.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            function()
            code = 0
        except BaseException:  # noqa: BLE001 - the process ends here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(
            f"{getattr(function, '__name__', function)} failed: exit code {os.waitstatus_to_exitcode(status)}"
        )
