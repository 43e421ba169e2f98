"""The folder of a run over pictures: outputs, `index.jsonl` with a line for each picture, `run.json` with settings."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ..errors import ParameterError
from ..files.kept_files import check_target
from ..files.whole_file import writable_folder, write_text
from ..reading.text_file import parse_json
from ..result.strict_json import dumps
from .job import settings_digest
from .picture_list import PictureFile

__all__ = ["Index", "Record"]

Record = Mapping[str, Any]
"""A line of the index; plugins.md and `crosslens.run_pictures` say what stands in it."""

_INDEX, _SETTINGS = "index.jsonl", "run.json"
_LEFT_OVER = re.compile(r"\.[0-9a-f]{16}\.\w+")
"""Names under which files are written before they are whole (`whole_file`); a process that was killed leaves them."""


class Index:
    """The lines of `index.jsonl`, by the name of the picture; a line is added when its outputs are written."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], names: Sequence[str], *, again: bool = False) -> None:
        """Open the folder, which is made if it does not exist.

        Args:
            folder: where outputs go.
            settings: what decides a picture's result beside the picture.
            names: of the pictures, in their order.
            again: forget what is finished.

        Raises:
            ParameterError: the folder cannot be written to, or holds the outputs of other settings.
        """
        self.folder, self.settings, self.names = folder, settings, names
        self.digest = settings_digest(settings)
        writable_folder(folder, ParameterError)
        self._records: dict[str, Record] = {}
        if not again:
            self._refuse_other_settings()
            self._records = {str(each["name"]): each for each in _lines(folder / _INDEX)}
        check_target(folder / _INDEX)
        self._remove_left_over()
        write_text(folder / _SETTINGS, dumps(settings) + "\n", ParameterError)
        self._write()
        self._file: TextIO | None = None

    def _refuse_other_settings(self) -> None:
        known, index = self.folder / _SETTINGS, self.folder / _INDEX
        if not known.exists() and not index.exists():
            return
        try:
            before = parse_json(known.read_bytes())
            changed = list(_changes(before, json.loads(dumps(self.settings))))
        except (OSError, ValueError, AttributeError, TypeError):
            changed = [f"'{known}' cannot be read"]
        if changed:
            raise ParameterError(
                f"'{self.folder}' holds results of other settings ({'; '.join(changed)}); write to another folder, or "
                "replace them with again=True"
            )

    @property
    def outputs(self) -> set[Path]:
        """All files that the lines name, resolved."""
        return {
            (self.folder / each).resolve() for record in self._records.values() for each in record.get("outputs", ())
        }

    def finished(self, picture: PictureFile, outputs: Sequence[str]) -> Record | None:
        """The line of a picture that is done with these settings, from the same bytes, and whose outputs all exist."""
        record = self._records.get(picture.name)
        if record is None or "error" in record or record.get("settings") != self.digest:
            return None
        exist = all((self.folder / each).is_file() for each in outputs)
        return record if exist and record.get("picture") == picture.digest() else None

    def add(self, record: Record) -> None:
        """Append a line, on the disk when this returns."""
        self._records[str(record["name"])] = record
        if self._file is None:
            self._file = (self.folder / _INDEX).open("a", encoding="utf-8", errors="backslashreplace")
        self._file.write(_line(record))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the lines once more, in the order of the pictures; those of pictures not given now at the end."""
        if self._file is not None:
            self._file.close()
            self._file = None
        first = {name: self._records[name] for name in self.names if name in self._records}
        self._records = first | self._records
        self._write()

    def _write(self) -> None:
        write_text(self.folder / _INDEX, "".join(map(_line, self._records.values())), ParameterError)

    def _remove_left_over(self) -> None:
        folders = {self.folder, *((self.folder / name).parent for name in self.names)}
        for path in (path for folder in folders if folder.is_dir() for path in folder.iterdir()):
            if _LEFT_OVER.fullmatch(path.name):
                with suppress(OSError):
                    path.unlink()


def _line(record: Record) -> str:
    return json.dumps(json.loads(dumps(record)), ensure_ascii=False) + "\n"


def _lines(path: Path) -> Iterator[Record]:
    """The whole lines of an index; the last one of a process that was killed may be cut off."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            record = parse_json(line)
            if isinstance(record, dict) and "name" in record:
                yield record


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What differs, "steps: 50 there, 100 now"; of nested settings the inner ones."""
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new)
        else:
            yield f"{name}: {_short(old)} there, {_short(new)} now"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
