"""Tables as Parquet files of plain types: int64, float32, float64, bool, string, and lists of these."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from ..files.whole_file import whole_file
from .own_files import MARK

__all__ = ["arrow", "arrow_table", "write_parquet"]


def arrow() -> Any:
    """The package pyarrow, with pyarrow.parquet.

    Raises:
        ParameterError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ParameterError("tables are written by pyarrow: pip install 'crosslens[data]'") from error
    return pyarrow


def arrow_table(columns: Mapping[str, Array]) -> Any:
    """Columns as a `pyarrow.Table`; a column (N, ...) of several numbers in each row becomes lists."""
    table = arrow().table({name: _column(as_numpy(values)) for name, values in columns.items()})
    return table.replace_schema_metadata({"made_by": MARK})


def _column(values: np.ndarray[Any, Any]) -> Any:
    if values.ndim > 1:
        return arrow().array(list(values) if values.ndim == 2 else values.tolist())
    if values.dtype.kind in "iu":
        return arrow().array(values.astype(np.int64))
    if values.dtype == np.float16:
        return arrow().array(values.astype(np.float32))
    if values.dtype.kind == "U":
        return arrow().array([_text(each) for each in values.tolist()], arrow().string())
    return arrow().array(values)


def _text(value: str) -> str:
    """As UTF-8 can hold it: bytes of a file's name that are no text escaped, "caf\\udce9.png"."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def write_parquet(columns: Mapping[str, Array], path: Path) -> Path:
    """Write columns of one length as a Parquet file, whole or not at all; the same columns give the same bytes.

    Raises:
        ParameterError: pyarrow is not installed, or the file cannot be written.
    """
    table = arrow_table(columns)
    with whole_file(path, ParameterError) as temporary:
        arrow().parquet.write_table(table, temporary)
    return path
