"""Neighbours, duplicates and suspects as lines of text."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..result.text_table import text_table

__all__ = ["listing"]

MOST = 6
"""Images of a group of duplicates that a line names, at most."""


def listing(result: Any, show: str, rows: int | None) -> str:
    """What `Neighbours.text` gives.

    Args:
        result: the neighbours.
        show: "neighbours", with the first duplicates and suspects below; or one of these alone.
        rows: of each, at most; all if None.
    """
    duplicates, suspects = list(_duplicates(result)), list(_suspects(result))
    parts = []
    if show == "neighbours":
        parts.append(_table(list(_neighbours(result, rows)), len(result), rows))
    if show == "duplicates" or (show == "neighbours" and duplicates):
        parts.append(_section("duplicates", duplicates, rows))
    if show == "suspects" or (show == "neighbours" and suspects):
        parts.append(_section("suspects", suspects, rows))
    return "\n\n".join(parts)


def _table(lines: list[list[str]], count: int, rows: int | None) -> str:
    names = ["image", "label", "neighbour", "its label", "distance", "agreeing"]
    labelled = any(line[1] or line[3] for line in lines)
    chosen = [n for n in range(len(names)) if labelled or n not in (1, 3, 5)]
    text = text_table([names[n] for n in chosen], [[line[n] for n in chosen] for line in lines])
    left = 0 if rows is None else count - rows
    return text + f"\n... and {left} more images" * (left > 0)


def _section(title: str, lines: list[str], rows: int | None) -> str:
    left = 0 if rows is None else len(lines) - rows
    return "\n".join([f"{title}:" if lines else f"{title}: none", *(f"  {line}" for line in lines[:rows])]) + (
        f"\n  ... and {left} more" * (left > 0)
    )


def _neighbours(result: Any, rows: int | None) -> Iterator[list[str]]:
    """A line for each image and its nearest neighbour; of queries one for each neighbour."""
    columns = {name: as_numpy(values) for name, values in result.columns.items()}
    index, ids, labels = (as_numpy(result.data[name]) for name in ("index", "image", "label"))
    count = columns["neighbour"].shape[1]
    for row in range(min(len(result), len(result) if rows is None else rows)):
        for n in range(count if result.of_queries else 1):
            near = int(np.searchsorted(index, columns["neighbour"][row, n]))
            first = [str(columns["image"][row]), str(columns["label"][row])] if n == 0 else ["", ""]
            agreeing = columns["agreeing"][row]
            told = f"{agreeing} of {count}" if agreeing >= 0 and n == 0 else ""
            distance = f"{columns['distance'][row, n]:.4g}"
            yield [*first, str(ids[near]), str(labels[near]), distance, told]


def _duplicates(result: Any) -> Iterator[str]:
    columns = {name: as_numpy(values) for name, values in result.columns.items()}
    index, ids = as_numpy(result.data["index"]), as_numpy(result.data["image"])
    for group in result.duplicates:
        names = [str(columns["image"][row]) for row in group]
        if result.of_queries:
            names += ids[np.searchsorted(index, result.duplicates_of(group[0]))].tolist()
        same = bool((columns["same_pixels_as"][group] >= 0).all())
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        yield " = ".join(names[:MOST]) + more + (" (the same pixels)" if same else "")


def _suspects(result: Any) -> Iterator[str]:
    columns = {name: as_numpy(values) for name, values in result.columns.items()}
    count = columns["neighbour"].shape[1]
    for row in result.suspects.tolist():
        votes, label = columns["votes"][row], columns["label"][row]
        yield f"{columns['image'][row]}: label {label}, {votes} of {count} neighbours {columns['suggested'][row]}"
