"""`ClassTable`: what both results on classes share: a picture of their own, and a text that leaves long columns out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ..result.display import Pixels
from ..result.formats import PICTURES
from ..result.table import Table

__all__ = ["ClassTable"]


@dataclass(frozen=True, kw_only=True)
class ClassTable(Table):
    """A table with a picture; columns of many numbers a row stand in files and data frames, not in its text."""

    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = ".png, .jpg or .webp for a picture, .csv or .parquet for the columns, .npz for everything"

    def picture(self) -> Pixels:
        """What is drawn of it, (H, W, 3), uint8."""
        raise NotImplementedError

    def text(self, rows: int | None = None) -> str:
        """The first rows as lines of text, without columns of many numbers; above them what sums the result up."""
        short: Mapping[str, Any] = {name: values for name, values in self.columns.items() if values.ndim == 1}
        table = Table(short).text(rows)
        return f"{', '.join(filter(None, self._facts()))}\n{table}"

    def _repr_html_(self) -> str:
        short = {name: values for name, values in self.columns.items() if values.ndim == 1}
        return Table._repr_html_(replace(self, columns=short))

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`picture.png`, and the table as Parquet."""
        return [self.save(folder / "picture.png"), *super().save_into(folder)]
