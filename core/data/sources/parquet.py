"""Parquet files whose rows hold encoded pictures, as Hugging Face writes data sets; read in portions of rows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...errors import ImageError, ParameterError
from ...image.decoding import decode_picture
from ...model.base import Model
from ...result.display import counted
from .encoded_rows import Columns, picture_of_cell, read_columns
from .picture_files import Pictures
from .records import different
from .unchanged import OfFiles

__all__ = ["ParquetFiles"]

PORTION = 32
"""Rows that are read at once; pictures of a megabyte make 32 MB of it."""


class ParquetFiles(OfFiles, Pictures):
    """The pictures in the rows of Parquet files, in the order of the files.

    The column of pictures holds bytes, or {bytes, path} as Hugging Face writes it; it and the labels are found by the
    metadata that `datasets` writes, else by their names and types. Ids are row numbers, with the file's name before
    them where there are several. Rows are read in portions: nothing holds a file. The digest reads all pictures once.
    """

    def __init__(self, files: Sequence[str], *, resize: str | None = None, crop: float | None = None) -> None:
        super().__init__(resize, crop)
        self._named = tuple(files)
        self._paths = tuple(Path(file).absolute() for file in files)
        self._remember_files(self._paths)
        opened = [_open(path) for path in self._paths]
        self._columns: Columns = read_columns(opened[0].schema_arrow, self._named[0])
        for name, each in zip(self._named, opened, strict=True):
            if not each.schema_arrow.equals(opened[0].schema_arrow, check_metadata=False):
                raise ImageError(f"'{name}' has other columns than '{self._named[0]}': give files of one data set")
        self._rows = tuple(each.metadata.num_rows for each in opened)
        if not sum(self._rows):
            raise ImageError(f"{self._text()} holds no rows")
        self._cursor: _Cursor | None = None

    def __getstate__(self) -> Mapping[str, Any]:
        return {**self.__dict__, "_cursor": None}

    def __len__(self) -> int:
        return sum(self._rows)

    def __repr__(self) -> str:
        return f"<ParquetFiles {self._text()}: {counted(len(self), 'picture')}>"

    def _text(self) -> str:
        more = f" and {len(self._named) - 1} more" if len(self._named) > 1 else ""
        return f"'{self._named[0]}'{more}"

    @cached_property
    def ids(self) -> Sequence[str]:
        if len(self._paths) == 1:
            return tuple(map(str, range(len(self))))
        names = different(path.name for path in self._paths)
        return tuple(f"{name}:{row}" for name, count in zip(names, self._rows, strict=True) for row in range(count))

    def _image(self, index: int, model: Model) -> Any:
        return self._fitted(self._picture(index), model)

    def _picture(self, index: int) -> Any:
        content = picture_of_cell(self._row(index)[self._columns.picture], self._paths[self._place(index)[0]].parent)
        return decode_picture(content, self.ids[index])

    def _record(self, index: int) -> Mapping[str, Any]:
        return self._columns.record(self._row(index))

    def _content_digest(self, index: int) -> bytes:
        try:
            file, _ = self._place(index)
            content = picture_of_cell(self._row(index)[self._columns.picture], self._paths[file].parent)
        except ImageError:
            return b""
        return blake2b(content, digest_size=16).digest()

    def _place(self, index: int) -> tuple[int, int]:
        """Which file, and which row of it."""
        for number, count in enumerate(self._rows):
            if index < count:
                return number, index
            index -= count
        raise IndexError(index)

    def _row(self, index: int) -> Mapping[str, Any]:
        file, row = self._place(index)
        if self._cursor is None or not self._cursor.reaches(file, row):
            self._cursor = _Cursor(self._paths[file], file, row, self._columns.names)
        return self._cursor.row(row)


class _Cursor:
    """Rows of one file from a place on, read forward; the last portion is kept."""

    def __init__(self, path: Path, file: int, row: int, columns: Sequence[str]) -> None:
        self.file, self._path = file, path
        self._opened = _open(path)
        metadata = self._opened.metadata
        group, self._start = 0, 0
        while row >= self._start + metadata.row_group(group).num_rows:
            self._start += metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, metadata.num_row_groups))
        self._portions: Iterator[Any] = self._opened.iter_batches(PORTION, groups, list(columns), use_threads=False)
        self._rows: list[Mapping[str, Any]] = []

    def reaches(self, file: int, row: int) -> bool:
        """Whether the row is in the portion that is held, or so near behind it that reading on is cheap."""
        return file == self.file and self._start <= row < self._start + len(self._rows) + PORTION

    def row(self, row: int) -> Mapping[str, Any]:
        while row >= self._start + len(self._rows):
            self._start += len(self._rows)
            try:
                self._rows = next(self._portions).to_pylist()
            except (OSError, StopIteration, ValueError) as error:
                self._rows, self._start = [], -1
                raise ImageError(f"cannot read row {row} of '{self._path}' ({error})") from error
        return self._rows[row - self._start]


def _open(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ParameterError("Parquet files need pyarrow: pip install 'crosslens[data]'") from error
    try:
        return ParquetFile(path, memory_map=True, pre_buffer=False, buffer_size=1 << 20)
    except (OSError, ArrowException) as error:
        raise ImageError(f"'{path}' is not a Parquet file that can be read ({error})") from error
