"""The data of a site as scripts: `data/KEY.js`, which a page opened from disk loads when it needs it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..files.whole_file import write_text
from ..result.strict_json import dumps

__all__ = ["DataFolder", "script", "stamp_of"]

_KEY = re.compile(r"[a-z]+(/\d+){0,2}")
_FIRST_BYTES = 80
"""In which a file's stamp stands."""


class DataFolder:
    """The files of a site's data, each written whole; a file with the stamp of now is not made again."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first file is written."""
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the value of a key lies: "units/3/12" in units/3/12.js.

        Raises:
            ValueError: a key that is not a word and up to two numbers; text of strangers names no file.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of a site's data")
        return self.folder / f"{key}.js"

    def has(self, key: str, stamp: str) -> bool:
        """Whether the file is there and was made of the same things."""
        try:
            with self.path(key).open("rb") as file:
                return file.read(_FIRST_BYTES).startswith(_mark(stamp).encode())
        except OSError:
            return False

    def read(self, key: str) -> Any:
        """The value of a file that is there.

        Raises:
            OSError: it is not there, or cannot be read.
            ValueError: it is damaged.
        """
        text = self.path(key).read_text(encoding="utf-8")
        return json.loads(text[text.index("{") : text.rindex("}") + 1])

    def numbers(self, kind: str) -> list[int]:
        """The numbers of the files of a kind, ascending: of "pictures", or of "visualisations/3"."""
        return sorted(int(path.stem) for path in (self.folder / kind).glob("*.js") if path.stem.isdecimal())

    def scripts(self) -> Iterator[str]:
        """The lines of all files, for a page that holds its data."""
        for path in sorted(self.folder.rglob("*.js")):
            yield path.read_text(encoding="utf-8")

    def write(self, key: str, value: Mapping[str, Any], stamp: str) -> None:
        """Write a value; see `src/data.ts` in `web` for what each holds.

        Args:
            key: such as "layers/3".
            value: as JSON can hold it, NumPy's numbers and arrays too; numbers that are not finite become null.
            stamp: of all that the value was made of, see `stamp_of`.

        Raises:
            ParameterError: the file cannot be written.
        """
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{_mark(stamp)}{script(key, value)}\n", ParameterError, durable=False)


def script(key: str, value: Mapping[str, Any]) -> str:
    """The line that gives a page a value. Nothing in it ends a script or a comment of HTML, whatever its texts hold."""
    text = dumps(_plain(value), compact=True)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return f'crosslens.put("{key}", {text});'


def _plain(value: Any) -> Any:
    """The same with lists for NumPy's arrays, and Python's numbers for its numbers."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def stamp_of(*parts: Any) -> str:
    """A short hash of what a file is made of: digests, settings, names."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _mark(stamp: str) -> str:
    return f"/* {stamp} */ "
