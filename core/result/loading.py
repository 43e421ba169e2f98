"""Reading saved results back: the record and the arrays of an `.npz`, the class by its name, the fields.

A file is data. The class is looked for among the classes that exist, never imported by a name that stands in the file,
and arrays are read without pickle.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import ParameterError
from ..limits.regular_file import check_regular_file
from ..limits.whole_numbers import is_whole_number
from ..reading.array_file import one_line, read_npz
from ..reading.text_file import parse_json
from .base import Result
from .formats import FORMAT, suffix_of
from .stored_values import restored

__all__ = ["read_result"]

Arrays = Mapping[str, np.ndarray[Any, Any]]
Record = Mapping[str, Any]

_OTHERS = {
    ".json": "json.load reads the figures of a comparison",
    ".html": "a browser shows a report",
    ".png": "crosslens.load_image reads a picture",
    ".jpg": "crosslens.load_image reads a picture",
    ".webp": "crosslens.load_image reads a picture",
    ".npy": "numpy.load reads an array",
    ".csv": "pandas.read_csv reads the columns of a table",
    ".parquet": "pandas.read_parquet reads the columns of a table",
}


def read_result(path: str | Path, import_class: Callable[[str, str], None]) -> Result:
    """The result that a file holds.

    Args:
        path: an `.npz` that `Result.save` wrote.
        import_class: called with the name of the result's class and that of its method where the class is not known
            yet; it may import what brings one of them, and does nothing where nothing does.

    Raises:
        ParameterError: no such file, or it is damaged, not a saved result, of a newer crosslens, or of a class that no
            installed plugin brings.
    """
    record, arrays = _read(Path(path))
    if record.get("format", 0) > FORMAT:
        by = record.get("provenance", {}).get("crosslens", "a newer version")
        raise ParameterError(f"'{path}' was written by crosslens {by}, in a form that this one cannot read: upgrade it")
    kind = _kind_of(record)
    if kind is None:
        import_class(str(record["kind"]), str(record["method"]))
        kind = _kind_of(record)
    if kind is None:
        raise ParameterError(
            f"'{path}' holds a {record['kind']} of {record['method']}, and no plugin that is installed brings that "
            "class: install the one that does, or read the arrays with numpy.load"
        )
    try:
        result = kind.from_saved(_fields(kind, record, arrays))
        repr(result)  # looks at most of what it needs
    except Exception as error:  # a stranger's fields may be of any kind and shape
        raise ParameterError(
            f"'{path}' does not hold what a {kind.__name__} has ({one_line(error)}): it is damaged, or "
            f"another version of {kind.__module__.partition('.')[0]} wrote it"
        ) from error
    return result


def _read(path: Path) -> tuple[Record, Arrays]:
    """The record and all arrays of a file."""
    if (suffix := suffix_of(path)) in _OTHERS:
        raise ParameterError(f"'{path}' holds no whole result, only .npz does: {_OTHERS[suffix]}")
    check_regular_file(path, ParameterError, "saved result")
    try:
        arrays = read_npz(path)
    except ValueError as error:
        foreign = str(error) == "File is not a zip file"
        _refuse(path, "it is no file of NumPy's" if foreign else str(error), error)
    record = _record_in(arrays.pop("record", None))
    if record is None:
        _refuse(path, "it holds arrays and no record of a result: another program wrote it")
    return record, arrays


def _record_in(text: Any) -> Record | None:
    """The record in an array of text; None where it is none."""
    try:
        record = parse_json(str(text))
    except ValueError:
        return None
    whole = isinstance(record, dict) and {"kind", "method", "parameters", "provenance"} <= record.keys()
    whole = whole and isinstance(record["provenance"], dict) and isinstance(record.get("format", 0), int)
    return record if whole else None


def _refuse(path: Path, reason: str, cause: BaseException | None = None) -> NoReturn:
    raise ParameterError(f"'{path}' is not a saved result: {reason}; give the .npz that save() wrote") from cause


def _kind_of(record: Record) -> type[Result] | None:
    """The class of this name, of the module that the record says; the only one of this name where it has moved."""
    known: set[type[Result]] = {Result, *_below(Result)}
    named = [kind for kind in known if kind.__name__ == record["kind"]]
    exact = [kind for kind in named if kind.__module__ == record.get("module")]
    return next(iter(exact or (named if len(named) == 1 else [])), None)


def _below(kind: type[Result]) -> Iterator[type[Result]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _fields(kind: type[Result], record: Record, arrays: Arrays) -> dict[str, Any]:
    if "format" not in record:
        return _earlier_fields(kind, record, arrays)
    return {name: restored(value, arrays) for name, value in record["fields"].items()}


def _earlier_fields(kind: type[Result], record: Record, arrays: Arrays) -> dict[str, Any]:
    """The fields of a file without a record of them, which said tuples as lists and the arrays of a field by prefix."""
    names = [f.name for f in fields(kind) if f.init]
    saved: dict[str, Any] = {name: _tuples(record[name]) for name in names if name in record}
    saved |= {name: record[name] for name in ("method", "parameters", "provenance")}
    saved |= {name: values for name, values in arrays.items() if name in names}
    for field, prefix in kind._array_prefixes.items():
        saved[field] = _with_prefix(arrays, prefix, record.get(field))
    return saved


def _with_prefix(arrays: Arrays, prefix: str, listed: Iterable[str] | None) -> dict[Any, Any]:
    if listed is not None:
        return {name: arrays[name] for name in listed}
    start = f"{prefix}_"
    parts = {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}
    return {int(name) if is_whole_number(name) else name: values for name, values in parts.items()}


def _tuples(value: Any) -> Any:
    """Lists as tuples, also inside mappings."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
