"""A result that is drawn as a sheet and has rows and columns as well: both can be saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

from ..files.parquet_file import arrow, arrow_table
from ..result import Result
from ..result.formats import PICTURES
from ..result.text_table import write_csv

__all__ = ["ResultWithRows"]


class ResultWithRows(Result):
    """A sheet as a picture, its rows as `.csv` or `.parquet`, everything as `.npz`."""

    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = ".png, .jpg or .webp for the sheet, .csv or .parquet for the rows, .npz for everything"

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix == ".csv":
            write_csv(self._columns(), file)
        elif suffix == ".parquet":
            arrow().parquet.write_table(arrow_table(self._columns()), file)
        else:
            super()._write(file, suffix, form, scale, quality)

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`sheet.png` and `rows.csv`."""
        return [self.save(folder / "sheet.png"), self.save(folder / "rows.csv")]
