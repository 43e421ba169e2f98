"""How pictures were loaded, kept beside their arrays: file, size, what was resized and cut off."""

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import ref

import numpy as np

__all__ = ["join_records", "loading_records", "remember_loading"]

Record = Mapping[str, Any]
_RECORDS: dict[int, tuple["ref[np.ndarray[Any, Any]]", tuple[Record | None, ...]]] = {}
"""By the identity of a batch, as long as it lives; arrays are plain, and what is computed from one is another."""


def remember_loading(batch: "np.ndarray[Any, Any]", records: Iterable[Record | None]) -> None:
    """Keep a record for each picture of a batch (N, C, H, W); None for one of which nothing is known."""
    key = id(batch)
    _RECORDS[key] = ref(batch, lambda _: _RECORDS.pop(key, None)), tuple(records)


def loading_records(batch: Any) -> tuple[Record | None, ...]:
    """How each picture of this very batch was loaded, nothing for an array that was made in another way.

    A record holds "file" (None for an array), "size" and "resized" as (H, W), "resize", and "crop", the share of the
    short side that was kept.
    """
    entry = _RECORDS.get(id(batch))
    return entry[1] if entry is not None and entry[0]() is batch else ()


def join_records(parts: Iterable[Any]) -> tuple[Record | None, ...]:
    """Those of several batches, in order; nothing where nothing is known of any."""
    records = [loading_records(part) or (None,) * part.shape[0] for part in parts]
    joined = tuple(each for record in records for each in record)
    return joined if any(joined) else ()
