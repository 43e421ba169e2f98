"""A result in rows and columns: one row for each unit, image or class, numbers or words in each column."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..arrays import Array, as_numpy
from ..errors import ImageError
from .base import Result
from .display import counted
from .text_table import text_table

__all__ = ["Table"]


@dataclass(frozen=True)
class Table(Result):
    """Columns of one length by name, the first of them saying what a row is. A saved `.npz` holds an array for each."""

    columns: Mapping[str, Array]

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
        """
        columns = [as_numpy(values)[:rows].tolist() for values in self.columns.values()]
        left = len(self) - len(columns[0])
        lines = text_table(list(self.columns), [[_short(value) for value in row] for row in zip(*columns, strict=True)])
        return lines + f"\n... and {left} more" * bool(left)

    def details(self) -> Mapping[str, Any]:
        """The names of the columns, in order."""
        return {"columns": list(self.columns)}

    def save(self, path: str | Path) -> Path:
        """Write the columns and the provenance as `.npz`.

        Raises:
            ImageError: another suffix.
        """
        if Path(path).suffix != ".npz":
            raise ImageError(f"cannot save a table as {Path(path).name!r}; use .npz, which holds the columns")
        return super().save(path)

    def _arrays(self) -> dict[str, Array]:
        return dict(self.columns)

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self), 'row')} of {', '.join(self.columns)}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
