"""Files that must not be written over while a command runs: those that it reads, and those of the user.

A command says so once, before its work (`keep_files`); then each file that is replaced is asked about
(`check_target`). Outside of a command nothing is kept: in Python `result.save` replaces what stands there, as other
libraries do.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import CrosslensError
from .own_files import is_own_file, same_columns

__all__ = ["KeptFiles", "check_columns", "check_target", "keep_files", "remember_written"]


@dataclass(frozen=True)
class KeptFiles:
    """What a command reads and writes."""

    reads: Sequence[Path]
    """Files that are read."""
    folders: Sequence[Path] = ()
    """Folders whose pictures are read."""
    outputs: Sequence[Path] = ()
    """Files that are asked for; beside them others may be written, NAME-0016.png beside NAME.png."""
    output_folders: Sequence[Path] = ()
    """Folders to write into."""
    overwrite: bool = False
    """Replace files that crosslens did not write."""

    def check(self, target: Path) -> None:
        """Refuse to replace a file that is read, or the user's own.

        Raises:
            CrosslensError: which of the two it is.
        """
        if not target.exists():
            return
        for path in self.reads:
            if _same(path, target):
                raise CrosslensError(
                    f"'{target}' is {_other_name(path, target)}read by this command and would be lost; write to "
                    "another name"
                )
        if self._is_data(target) and not is_own_file(target):
            raise CrosslensError(
                f"'{target}' lies in a folder that is read by this command, and would be lost; write elsewhere"
            )
        if self._is_asked_for(target) and not self.overwrite and target.suffix.lower() != ".csv":
            refuse_foreign(target)

    def check_columns(self, target: Path, made: Path) -> None:
        """Refuse to replace a .csv of other columns than those that were made: crosslens did not write it.

        Raises:
            CrosslensError: it has others.
        """
        if self.overwrite or target.suffix.lower() != ".csv" or not target.is_file() or not self._is_asked_for(target):
            return
        if target.stat().st_size and not same_columns(target, made):
            raise CrosslensError(
                f"'{target}' exists and holds other columns: write to another name, or replace it with --overwrite"
            )

    def _is_data(self, target: Path) -> bool:
        place = target.resolve()
        if any(place.is_relative_to(folder.resolve()) for folder in self.output_folders):
            return False
        return any(place.is_relative_to(folder.resolve()) for folder in self.folders)

    def _is_asked_for(self, target: Path) -> bool:
        place = target.resolve()
        if any(place.is_relative_to(folder.resolve()) for folder in self.output_folders):
            return True
        alike = (each.resolve() for each in self.outputs)
        return any(place.parent == each.parent and place.name.startswith(each.stem) for each in alike)


def refuse_foreign(target: Path) -> None:
    """Refuse to replace a file that crosslens did not write.

    Raises:
        CrosslensError: with what to type.
    """
    if target.resolve() not in _written and not is_own_file(target):
        raise CrosslensError(
            f"'{target}' exists, and crosslens did not write it: write to another name, or replace it with --overwrite"
        )


def _same(a: Path, b: Path) -> bool:
    with suppress(OSError):
        return os.path.samefile(a, b)
    return False


def _other_name(path: Path, target: Path) -> str:
    return "" if os.path.normpath(path) == os.path.normpath(target) else f"another name of '{path}', which is "


_kept: list[KeptFiles] = []
"""Those of the command that runs; of this process, whatever the thread."""
_written: set[Path] = set()
"""Files that the command has written, which it may replace: a network is written before its description."""


@contextmanager
def keep_files(kept: KeptFiles) -> Iterator[None]:
    """Refuse to replace what is kept, within this block."""
    _kept.append(kept)
    try:
        yield
    finally:
        _kept.remove(kept)
        if not _kept:
            _written.clear()


def remember_written(target: Path) -> None:
    """Let the command that runs replace a file that it has written itself."""
    if _kept:
        _written.add(target.resolve())


def check_target(target: Path) -> None:
    """Refuse a file to be replaced that the command that runs keeps; nothing where none does.

    Raises:
        CrosslensError: why.
    """
    for kept in _kept:
        kept.check(target)


def check_columns(target: Path, made: Path) -> None:
    """The same for a .csv that is made already, at `made`, and would replace one.

    Raises:
        CrosslensError: why.
    """
    for kept in _kept:
        kept.check_columns(target, made)
