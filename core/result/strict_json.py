"""JSON that every parser reads: NaN and infinity, which Python's own module would write, become null."""

import json
from typing import Any

__all__ = ["dumps"]


def dumps(value: Any, *, compact: bool = False) -> str:
    """A value as JSON, indented unless compact, numbers that JSON does not have as null.

    >>> print(dumps({"ratio": float("inf")}))
    {
      "ratio": null
    }
    """
    form: Any = {"separators": (",", ":")} if compact else {"indent": 2}
    return json.dumps(_finite(value), allow_nan=False, **form)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value
