"""Tables of rows with named columns, as Hugging Face's `datasets` has them: pictures as they are encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

from ....errors import ImageError
from ....image.decoding import decode_picture
from ....model.base import Model
from ..encoded_rows import Columns, one_column, picture_of_cell
from ..picture_files import Pictures
from .indexed_items import IndexedItems

__all__ = ["TableArrays", "TableRows", "has_pictures"]


def has_pictures(table: Any) -> bool:
    """Whether a column of the table holds encoded pictures, and its rows come as they are stored."""
    return bool(_of_kind(table, "Image")) and table.format["type"] != "custom"


def _of_kind(table: Any, kind: str) -> Mapping[str, Any]:
    return {name: each for name, each in table.features.items() if getattr(each, "_type", "") == kind}


class TableRows(Pictures):
    """The pictures in the rows of a table, with the names of their classes. Ids are "0", "1", ...

    Pictures are decoded here, so that a bad one is a failure alone. The digest reads all pictures once; it is that of
    the same rows in a Parquet file.
    """

    def __init__(self, table: Any, *, resize: str | None = None, crop: float | None = None) -> None:
        super().__init__(resize, crop)
        if not len(table):
            raise ImageError("the data set holds no rows")
        pictures, labels = _of_kind(table, "Image"), _of_kind(table, "ClassLabel")
        picture = one_column(list(pictures), "the data set", ", ".join(table.column_names))
        names: dict[str, Sequence[str] | None] = {name: list(each.names) for name, each in labels.items()}
        if not names and "label" in table.column_names:
            names = {"label": None}
        self._columns = Columns(picture, names)
        kept = table.select_columns(list(self._columns.names)).with_format(None)
        self._table = kept.cast_column(picture, replace(pictures[picture], decode=False))
        self._last: tuple[int, Mapping[str, Any]] = (-1, {})

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def ids(self) -> Sequence[str]:
        return tuple(map(str, range(len(self))))

    def _image(self, index: int, model: Model) -> Any:
        return self._fitted(decode_picture(self._content(index), self.ids[index]), model)

    def _row(self, index: int) -> Mapping[str, Any]:
        """A row, which is kept until another one is asked for: its picture and its labels are read at once."""
        last = self._last
        if last[0] != index:
            last = self._last = index, self._table[index]
        return last[1]

    def _content(self, index: int) -> bytes:
        return picture_of_cell(self._row(index)[self._columns.picture])

    def _record(self, index: int) -> Mapping[str, Any]:
        return self._columns.record(self._row(index))

    def _content_digest(self, index: int) -> bytes:
        try:
            return blake2b(self._content(index), digest_size=16).digest()
        except ImageError:
            return b""


class TableArrays(IndexedItems):
    """The rows of a table whose images are arrays in a column, in the type that the column has."""

    def __init__(self, table: Any, *, resize: str | None = None, crop: float | None = None) -> None:
        self._types = {name: kind for name, each in table.features.items() if (kind := _number_type(each))}
        super().__init__(table.with_format("numpy"), resize=resize, crop=crop)

    def _read_item(self, index: int) -> Any:
        row = super()._read_item(index)
        return {name: value.astype(self._types[name]) if name in self._types else value for name, value in row.items()}


def _number_type(feature: Any) -> str | None:
    """The type of the numbers of a column of arrays, which its NumPy format widens; None of other columns."""
    inside = feature
    while hasattr(inside, "feature"):
        inside = inside.feature
    kind = getattr(inside, "dtype", None)
    is_array = inside is not feature or hasattr(feature, "shape")
    return kind if is_array and isinstance(kind, str) and kind.startswith(("uint", "int", "float", "bool")) else None
