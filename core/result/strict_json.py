"""JSON that every parser reads: Python's own would write NaN and Infinity, which are no JSON."""

import json
from typing import Any

__all__ = ["dumps"]


def dumps(value: Any) -> str:
    """A value as indented JSON, numbers that JSON does not have as null.

    >>> print(dumps({"ratio": float("inf")}))
    {
      "ratio": null
    }
    """
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value
