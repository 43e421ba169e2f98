"""Parquet files whose rows hold encoded pictures, as Hugging Face writes data sets; read in portions of rows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...errors import ImageError, ParameterError
from ...image.decoding import decode_picture
from ...limits.memory import check_memory, readable_size
from ...limits.regular_file import check_regular_file
from ...model.base import Model
from ...reading.array_file import one_line
from ...result.display import counted
from .encoded_rows import Columns, picture_of_cell, read_columns
from .picture_files import Pictures
from .records import different
from .unchanged import OfFiles

__all__ = ["ParquetFiles"]

PORTION = 32
"""Rows that are read at once; pictures of a megabyte make 32 MB of it."""
_OF_ROW = 70
"""Bytes of memory for each row: its id."""
_PACKED = 70_000
"""Bytes that a byte of a compressed page can become, at most."""
_LARGE = 1 << 30
"""Bytes of a group of rows from which the memory limit is asked: pages are unpacked one at a time."""


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
        if min(self._rows) < 0 or not sum(self._rows):
            raise ImageError(f"{self._text()} holds no rows")
        check_memory(_OF_ROW * sum(self._rows), f"{self._text()}, {sum(self._rows)} rows,", "give a part of the files")
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
            try:
                self._cursor = _Cursor(self._paths[file], file, row, self._columns.names)
            except Exception as error:  # what Arrow raises for damaged metadata
                self._cursor = None
                raise ImageError(f"cannot read row {row} of '{self._paths[file]}' ({one_line(error)})") from error
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
        _check_columns(metadata.row_group(group), columns, path)
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
            except Exception as error:  # Arrow's own errors, and what reading damaged pages can raise
                self._rows, self._start = [], -1
                raise ImageError(f"cannot read row {row} of '{self._path}' ({one_line(error)})") from error
        return self._rows[row - self._start]


def _check_columns(group: Any, columns: Sequence[str], path: Path) -> None:
    """Refuse a group of rows whose compressed columns declare more than the memory limit allows."""
    parts = [group.column(n) for n in range(group.num_columns)]
    packed = [
        each for each in parts if each.path_in_schema.split(".")[0] in columns and each.compression != "UNCOMPRESSED"
    ]
    needed = sum(max(0, each.total_uncompressed_size) for each in packed)
    if needed > _PACKED * path.stat().st_size:
        raise ImageError(f"'{path}' declares columns of {readable_size(needed)}, more than such a file can hold")
    if needed > _LARGE:
        check_memory(needed, f"a group of rows of '{path}'", "write the file again with smaller row groups")


def _open(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ParameterError("Parquet files need pyarrow: pip install 'crosslens[data]'") from error
    check_regular_file(path, ImageError, "Parquet file")
    try:
        return ParquetFile(path, memory_map=True, pre_buffer=False, buffer_size=1 << 20)
    except Exception as error:  # Arrow's own errors, and what a damaged schema can raise
        raise ImageError(f"'{path}' is not a Parquet file that can be read ({one_line(error)})") from error
