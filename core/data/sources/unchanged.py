"""Files that must stay as they are while a source reads them: a digest is that of what was there first."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from platform import node
from typing import Self

from ...errors import ImageError
from ...model.base import Model
from ..source import Samples, Source

__all__ = ["FileState", "OfFiles"]


@dataclass(frozen=True)
class FileState:
    """What tells cheaply whether a file has changed: its size, and on the machine that looked when it was written."""

    path: Path
    size: int
    written: int
    """Nanoseconds since 1970; a copy on another machine has a time of its own."""
    machine: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """As the file is now."""
        found = path.stat()
        return cls(path, found.st_size, found.st_mtime_ns, node())

    def check(self) -> None:
        """Refuse a file that is another one by now.

        Raises:
            ImageError: it has changed, or is gone.
        """
        try:
            now = FileState.of(self.path)
        except OSError as error:
            raise ImageError(f"cannot read '{self.path}' any more: {error.strerror}") from error
        if now.size != self.size or (now.machine == self.machine and now.written != self.written):
            raise ImageError(
                f"'{self.path}' has changed since it was opened, so that its images would not be those that were asked "
                "for: make the data again, crosslens.data(...), and begin anew"
            )


class OfFiles(Source):
    """A source that reads its files again and again: one that has changed is refused whenever images are read."""

    _states: tuple[FileState, ...] = ()

    def _remember_files(self, paths: Iterable[Path]) -> None:
        self._states = tuple(FileState.of(path) for path in paths)

    def read(self, start: int, stop: int, model: Model) -> Samples:
        for each in self._states:
            each.check()
        return super().read(start, stop, model)  # type: ignore[safe-super]  # of the class beside it
