"""A result in rows and columns: one row for each unit, image or class, numbers or words in each column."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError, unknown_name
from ..files.parquet_file import arrow, arrow_table, write_parquet
from ..html_table import html_table
from .base import Result
from .display import counted
from .selection import items_at, selected_provenance
from .text_table import text_table, write_csv

__all__ = ["Table"]

SHOWN_ROWS = 100
"""Rows that a notebook shows."""


@dataclass(frozen=True)
class Table(Result):
    """Columns of one length by name, the first of them saying what a row is. A saved `.npz` holds an array for each.

    A `.csv` or `.parquet` holds the columns alone; in a `.csv` several numbers a row become columns NAME_0, NAME_1, ...
    """

    columns: Mapping[str, Array]
    _item: ClassVar[str] = "row"
    _kind: ClassVar[str] = "table"
    _suffixes: ClassVar[tuple[str, ...]] = (".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = ".npz, which holds everything, .csv or .parquet for the columns"
    _array_prefixes: ClassVar[Mapping[str, str]] = {"columns": ""}

    def __len__(self) -> int:
        return int(next(iter(self.columns.values())).shape[0])

    def text(self, rows: int | None = None) -> str:
        """The first `rows` rows as lines of text, all of them if not given; fractions in four digits.

        >>> import numpy as np
        >>> print(Table({"unit": np.arange(3), "mean": np.array([0.5, 1.25, 2.0])}).text(2))
        unit  mean
        0     0.5
        1     1.25
        ... and 1 more

        Several values in a row stand side by side:

        >>> print(Table({"unit": np.arange(1), "classes": np.array([["cat", "dog"]])}).text())
        unit  classes
        0     cat; dog
        """
        columns = [as_numpy(values)[:rows].tolist() for values in self.columns.values()]
        left = len(self) - len(columns[0])
        lines = text_table(list(self.columns), [[_short(value) for value in row] for row in zip(*columns, strict=True)])
        return lines + f"\n... and {left} more" * bool(left)

    def _repr_html_(self) -> str:
        """The first rows, in a notebook."""
        columns = [as_numpy(values)[:SHOWN_ROWS].tolist() for values in self.columns.values()]
        rows = [[_short(value) for value in row] for row in zip(*columns, strict=True)]
        more = [f"... and {len(self) - SHOWN_ROWS} more"] if len(self) > SHOWN_ROWS else []
        return html_table(list(self.columns), rows, above=repr(self).strip("<>"), below=[*more, *self.notes])

    def _repr_png_(self) -> None:
        """The table says it all."""

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix == ".csv":
            write_csv(self.columns, file)
        elif suffix == ".parquet":
            arrow().parquet.write_table(arrow_table(self.columns), file)
        else:
            super()._write(file, suffix, form, scale, quality)

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`table.parquet`, which pandas, DuckDB and others open as it is."""
        return [write_parquet(self.columns, folder / "table.parquet")]

    def details(self) -> Mapping[str, Any]:
        """The names of the columns, in order."""
        return {"columns": list(self.columns)}

    def __getitem__(self, index: Any) -> Any:
        """A column by its name, as it is; or the table of some rows, as `Result` has it of images."""
        if isinstance(index, str):
            if index not in self.columns:
                raise ParameterError(unknown_name("column", index, self.columns, of="this table"))
            return self.columns[index]
        return super().__getitem__(index)

    def _at(self, places: Sequence[int]) -> "Table":
        columns = {name: items_at(values, places) for name, values in self.columns.items()}
        return replace(self, columns=columns, provenance=selected_provenance(self.provenance, places, len(self)))

    def _main_array(self) -> Array:
        columns = {name: as_numpy(values) for name, values in self.columns.items()}
        if words := [name for name, values in columns.items() if values.dtype.kind not in "biuf" or values.ndim != 1]:
            raise ParameterError(
                f"the column {words[0]!r} does not hold a number in each row, so the table is no array: take one "
                f"column, table[{next(iter(columns))!r}], or table.to_dataframe()"
            )
        return np.stack(list(columns.values()), axis=1)

    def _columns(self) -> Mapping[str, Any]:
        columns = {name: as_numpy(values) for name, values in self.columns.items()}
        return {name: values if values.ndim == 1 else list(values) for name, values in columns.items()}

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self), 'row')} of {', '.join(self.columns)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
