"""Rows of images in memory-mapped files: `rows/NAME.npy`, a row for each image of the source, written in any order.

A row that is written twice is the same both times. An image that could not be read has NaN, of whole numbers 0;
`rows/index.npy` holds the places of those that were read.
"""

import os
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..data.rows import Rows
from ..data.shard import Shard
from ..data.source import Failure
from ..data.statistic import State
from ..errors import ParameterError
from ..files.whole_file import whole_file
from ..reading.array_file import map_npy
from .statistic_key import statistic_key

__all__ = ["RowFiles"]

AT_ONCE = 1 << 16
"""Places of images that are written at once."""


class RowFiles:
    """The rows of a store whose source has `count` images."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def path(self, statistic: Rows) -> Path:
        """The file of a statistic: its class and fields, and a digest that tells it from all others."""
        name, key = type(statistic).__name__, statistic_key(statistic)
        words = re.sub(r"[^\w.=,-]+", "_", key.partition("(")[2].rstrip(")").replace("'", ""))[:60]
        return self.folder / f"{name}-{words}-{blake2b(key.encode(), digest_size=4).hexdigest()}.npy"

    def write(self, statistic: Rows, state: State, shard: Shard) -> None:
        """Put a shard's rows into their places: on the disk when this returns.

        Raises:
            ParameterError: the disk is full, or the file cannot be written.
        """
        index = np.asarray(state["index"]) - shard.start
        rows = statistic.at_places({"index": index, "rows": state["rows"]}, shard.stop - shard.start)["rows"]
        path = self.path(statistic)
        if not path.exists():
            self._make(path, statistic)
        try:
            with path.open("r+b") as file:
                start = path.stat().st_size - self._bytes(statistic)
                file.seek(start + shard.start * (self._bytes(statistic) // self.count))
                file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ParameterError(f"cannot write '{path}': {error.strerror}") from error

    def _bytes(self, statistic: Rows) -> int:
        return int(self.count * prod(statistic.shape) * np.dtype(statistic.dtype).itemsize)

    def _make(self, path: Path, statistic: Rows) -> None:
        """A file of the right length; its rows take room when they are written."""
        self.folder.mkdir(exist_ok=True)
        form = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(statistic.dtype)),
            "fortran_order": False,
            "shape": (self.count, *statistic.shape),
        }
        with whole_file(path, ParameterError) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, form)
            file.truncate(file.tell() + self._bytes(statistic))

    def finish(self, failures: Sequence[Failure]) -> None:
        """Write the places of the images that were read."""
        failed = {each.index for each in failures}
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "index.npy"
        if path.exists():
            return
        with whole_file(path, ParameterError) as temporary, temporary.open("wb") as file:
            form = {"descr": "<i8", "fortran_order": False, "shape": (self.count - len(failed),)}
            np.lib.format.write_array_header_1_0(file, form)
            for part in _places(self.count, failed):
                file.write(part.tobytes())

    def state(self, statistic: Rows) -> State:
        """{"index", "rows"}, both memory-mapped: `rows` has a row for each image of the source."""
        return {"index": _mapped(self.folder / "index.npy"), "rows": _mapped(self.path(statistic))}


def _places(count: int, failed: set[int]) -> Iterator[np.ndarray[Any, Any]]:
    for start in range(0, count, AT_ONCE):
        part = range(start, min(start + AT_ONCE, count))
        yield np.array([index for index in part if index not in failed], "<i8")


def _mapped(path: Path) -> Any:
    try:
        return map_npy(path)
    except ValueError as error:
        raise ParameterError(f"'{path}' is damaged ({error}): begin anew, or name another folder") from error
