"""`images.parquet` and `thumbnails/`: a line for each image of the source, a sheet of thumbnails for each shard.

Each shard is a file of its own until all of them are there; then they become one.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..data.shard import Shard, ShardResult
from ..data.source import Source
from ..data.statistic import State
from ..errors import ParameterError
from ..files.parquet_file import arrow, write_parquet
from ..files.whole_file import whole_file, write_bytes
from ..image.encoding import encode_picture
from .image_page import ImagePage

__all__ = ["ACROSS", "ImageTable", "image_columns", "sheet_name"]

ACROSS = 16
"""Thumbnails in a row of a sheet."""
GROUP = 16
"""Shards whose lines are written at once: a row group of the table."""


class ImageTable:
    """The table and the sheets of a store."""

    def __init__(self, folder: Path, source: Source, names: Sequence[str]) -> None:
        """`names`: of the classes, in their order; empty where they have none."""
        self.folder, self.source, self.names = folder, source, names
        self.path = folder / "images.parquet"

    def write(self, page: ImagePage, result: ShardResult) -> None:
        """A shard's lines and sheet: on the disk when this returns."""
        state, shard = result.states[page], result.shard
        columns = image_columns(self.source, self.names, state, result)
        if page.tile:
            columns |= self._write_sheet(page.tile, state, shard)
        self._part(shard.number).parent.mkdir(exist_ok=True)
        write_parquet(columns, self._part(shard.number))

    def _part(self, number: int) -> Path:
        return self.folder / "states" / f"images-{number:05}.parquet"

    def _write_sheet(self, side: int, state: State, shard: Shard) -> dict[str, np.ndarray[Any, Any]]:
        """Where each thumbnail lies: the sheet's file, and the pixels of its top left corner; "" and -1 for none."""
        count, places = shard.stop - shard.start, np.asarray(state["index"]) - shard.start
        sheet = np.full((-(-count // ACROSS) * side, min(count, ACROSS) * side, 3), 255, np.uint8)
        left, top = (np.full(count, -1, np.int64) for _ in range(2))
        left[places], top[places] = places % ACROSS * side, places // ACROSS * side
        for place, tile in zip(places.tolist(), state["tiles"], strict=True):
            sheet[top[place] : top[place] + side, left[place] : left[place] + side] = tile
        name = sheet_name(shard.number)
        (self.folder / "thumbnails").mkdir(exist_ok=True)
        content = encode_picture(sheet, "JPEG", quality=90, subsampling=0)
        write_bytes(self.folder / name, content, ParameterError)
        names = np.where(left < 0, "", name)
        return {"thumbnail": names, "thumbnail_x": left, "thumbnail_y": top, "thumbnail_side": np.full(count, side)}

    def finish(self, count: int) -> None:
        """Make one table of those of `count` shards."""
        if not self.path.exists():
            self._join(count)
        for part in (self.folder / "states").glob("images-*.parquet"):
            with suppress(OSError):
                part.unlink()

    def _join(self, count: int) -> None:
        parquet = arrow().parquet
        schema = parquet.read_schema(self._part(0))
        with whole_file(self.path, ParameterError) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
            for start in range(0, count, GROUP):
                parts = [parquet.read_table(self._part(n)) for n in range(start, min(start + GROUP, count))]
                writer.write_table(arrow().concat_tables(parts))


def sheet_name(number: int) -> str:
    """The file of a shard's thumbnails within the store's folder."""
    return f"thumbnails/{number:05}.jpg"


def image_columns(source: Source, names: Sequence[str], state: State, result: ShardResult) -> dict[str, Any]:
    """The columns of a shard's images, those that could not be read included.

    Args:
        source: for the ids.
        names: of the classes.
        state: of an `ImagePage`.
        result: the shard and its failures.
    """
    shard = result.shard
    count, places = shard.stop - shard.start, np.asarray(state["index"]) - shard.start
    reasons: Mapping[int, str] = {each.index - shard.start: each.reason for each in result.failures}
    labels, classes, scores = [""] * count, np.full(count, -1, np.int64), np.full(count, np.nan)
    for place, label in zip(places.tolist(), np.asarray(state["label"]).tolist(), strict=True):
        labels[place] = label
    classes[places], scores[places] = state["class"], state["score"]
    ids = [source.ids[index] for index in range(shard.start, shard.stop)]
    return {
        "index": np.arange(shard.start, shard.stop),
        "id": _text(ids),
        "label": _text(labels),
        "class": classes,
        "predicted": _text([names[c] if 0 <= c < len(names) else "" for c in classes.tolist()]),
        "score": scores,
        "failure": _text([reasons.get(place, "") for place in range(count)]),
    }


def _text(values: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array(values, np.str_)
