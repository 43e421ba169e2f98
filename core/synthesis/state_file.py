"""Reading a state to go on from: an `.npz` of arrays with a record, taken for nothing before it is looked at."""

from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import ParameterError
from ..limits.regular_file import check_regular_file
from ..reading.array_file import read_npz
from ..reading.text_file import parse_json

__all__ = ["Arrays", "check_numbers", "read_state", "refuse_state", "whole_number"]

Arrays = dict[str, np.ndarray[Any, Any]]


def refuse_state(path: str | Path, why: str, give: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the error of a state that cannot be gone on from.

    Args:
        path: the file.
        why: what is wrong with it.
        give: what would be right, "the .npz of an earlier run".
        cause: the error that told it.
    """
    raise ParameterError(f"cannot go on from '{path}': {why}; give {give}") from cause


def read_state(path: str | Path, give: str) -> tuple[dict[str, Any], Arrays]:
    """The record, a JSON object, and the arrays of a file, without pickle.

    Args:
        path: the file.
        give: what would be right, for the message.

    Raises:
        ParameterError: no such file, or it holds something else, or is damaged.
    """
    try:
        check_regular_file(path, ParameterError, "state")
        arrays = dict(read_npz(path))
    except ParameterError as error:
        refuse_state(path, str(error).partition("; give ")[0], give, error)
    except ValueError as error:
        foreign = "pickled" in str(error) or "zip" in str(error).lower()
        refuse_state(path, "it is damaged, or no file of NumPy's" if foreign else str(error), give, error)
    try:
        record = parse_json(str(arrays["record"]))
    except (ValueError, KeyError) as error:
        refuse_state(path, "it holds no record of what it is the state of", give, error)
    if not isinstance(record, dict):
        refuse_state(path, "its record is no JSON object", give)
    return record, arrays


def check_numbers(path: str | Path, name: str, values: Any, give: str, dimensions: int | None = None) -> None:
    """Refuse an array that is not of finite floating-point numbers, or of other dimensions; one number may be whole.

    Args:
        path: the file.
        name: of the array in it.
        values: the array.
        give: what would be right, for the message.
        dimensions: how many it must have; any number if not given.

    Raises:
        ParameterError: what is wrong.
    """
    if values.dtype.kind != "f" and (dimensions != 0 or values.dtype.kind not in "iu"):
        refuse_state(path, f"{name} in it are of type {values.dtype}, not fractions", give)
    if not np.isfinite(values).all():
        refuse_state(path, f"{name} in it are NaN or infinite", give)
    if dimensions is not None and values.ndim != dimensions:
        refuse_state(path, f"{name} in it have the shape {values.shape}, not {dimensions} axes", give)


def whole_number(path: str | Path, name: str, values: Any, give: str) -> int:
    """The one whole number, at least 0, that an array holds.

    Args:
        path: the file.
        name: of the array in it.
        values: the array.
        give: what would be right, for the message.

    Raises:
        ParameterError: it holds something else.
    """
    check_numbers(path, name, values, give, 0)
    if values < 0 or values != int(values):
        refuse_state(path, f"{name} in it is {values}, not a whole number from 0 on", give)
    return int(values)
