"""An exhibit of command lines over data that anyone can make, the same on every backend."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .folders import FOLDERS
from .photographs import photograph

__all__ = ["DataExhibit"]

FILES = {"torch": "pt2", "keras": "keras", "onnx": "onnx"}


@dataclass(frozen=True)
class DataExhibit:
    """One or more commands of `crosslens` for each framework, whose last one makes the picture `{out}`.

    In a command stand `{backend}` (torch, keras, onnx) and `{file}` (pt2, keras, onnx) for the framework's, the
    names of the folders of `benchmarks.gallery.folders`, such as `{mnist}`, for where these lie, `{cat}` for a
    photograph, `{made}` for the folder of what earlier commands of the same exhibit made.
    """

    name: str
    caption: str
    commands: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Folders that must be there."""
    width: int = 420
    height: int = 420
    """Pixels that a framework's picture has at most on the page."""
    below: bool = False
    """Whether the frameworks' pictures hang one below the other, for wide ones."""
    shown: str = ""
    """Which of the pictures that the last command writes: "-units" for NAME-units.png."""

    def words(self, backend: str, made: Path) -> list[list[str]]:
        """The commands, to be run; they write into the folder `made`."""
        places = {name: str(FOLDERS[name].path) for name in self.needs} | {"cat": str(photograph())}
        return self._filled(backend, str(made / "made.png"), str(made), places)

    def typed(self, backend: str) -> str:
        """The commands as a reader would type them, a line each, where the folders are made."""
        places = {name: name for name in self.needs} | {"cat": "chelsea.png"}
        return "\n".join(map(shlex.join, self._filled(backend, f"{self.name}.png", ".", places)))

    def _filled(self, backend: str, out: str, made: str, places: Mapping[str, str]) -> list[list[str]]:
        values = {"backend": backend, "file": FILES[backend], "out": out, "made": made, **places}
        return [["crosslens", *(word.format(**values) for word in shlex.split(command))] for command in self.commands]
