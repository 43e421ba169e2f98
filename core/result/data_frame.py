"""Results as data frames, where pandas is installed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ParameterError

__all__ = ["data_frame", "long_columns"]


def data_frame(columns: Mapping[str, Any]) -> Any:
    """A `pandas.DataFrame` of columns of one length.

    Raises:
        ParameterError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ParameterError(
            "a data frame needs pandas: pip install pandas; without it, np.asarray(result) gives the numbers"
        ) from error
    return pandas.DataFrame(dict(columns))


def long_columns(values: np.ndarray[Any, Any], axes: Sequence[str], name: str = "value") -> dict[str, Any]:
    """One row for each value of an array: its place along each axis, and the value, last axis fastest.

    >>> long_columns(np.array([[5.0, 6.0]]), ["row", "column"])
    {'row': array([0, 0]), 'column': array([0, 1]), 'value': array([5., 6.])}
    """
    places = np.indices(values.shape)
    return {axis: each.ravel() for axis, each in zip(axes, places, strict=True)} | {name: values.ravel()}
