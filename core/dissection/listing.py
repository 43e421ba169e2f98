"""A dissection as lines of text: what each layer's units detect, beside chance and directions, then the best units."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..result.text_table import text_table

__all__ = ["listing"]

NAMED = 8
"""Concepts of a category that a line names, at most."""


def listing(result: Any, rows: int | None) -> str:
    """What `Dissection.text` gives.

    Args:
        result: the dissection.
        rows: units and directions listed below the counts, at most; all if None.
    """
    return "\n\n".join([*(_layer(result, layer) for layer in result.layers), _best(result, rows)])


def _layer(result: Any, layer: str) -> str:
    """How many units detect concepts of each category, beside chance, and which concepts."""
    bases = result.bases_of(layer)
    found = {basis: result.detectors(layer, basis) for basis in bases}
    chance = {} if result.null_ious is None else {basis: _by_chance(result, layer, basis) for basis in bases}
    names = [each for basis in bases for each in (basis, *["by chance"] * (basis in chance))]
    table = []
    for category in dict.fromkeys(result.categories):
        counts: list[str] = []
        for basis in bases:
            counts.append(str(sum(n for (kind, _), n in found[basis].items() if kind == category)))
            counts += [str(chance[basis][category])] if basis in chance else []
        table.append([category, *counts, _concepts(found[bases[0]], category)])
    return f"{result.in_words(layer)}\n{text_table(['category', *names, 'of each concept'], table)}"


def _by_chance(result: Any, layer: str, basis: str) -> Counter[str]:
    """By category, the rows whose best concept by chance is above the least IoU."""
    scores = as_numpy(result.null_ious)[result.rows_of(layer, basis)]
    best = scores.argmax(axis=1)[scores.max(axis=1) > result.minimum_iou]
    return Counter(result.categories[n] for n in best.tolist())


def _concepts(found: Any, category: str) -> str:
    """Such as "red 12, yellow 6"."""
    named = [f"{name} {count}" for (kind, name), count in found.items() if kind == category]
    return ", ".join(named[:NAMED]) + f" and {len(named) - NAMED} more" * (len(named) > NAMED)


def _best(result: Any, rows: int | None) -> str:
    """The rows of the table with the largest IoU."""
    hidden = ("null_concept", "null_iou") if result.null_ious is None else ()
    columns = {name: as_numpy(values) for name, values in result.columns.items() if name not in hidden}
    order = np.argsort(-columns["iou"], kind="stable")
    shown = order[:rows]
    lines = [list(_words(columns[name][row] for name in columns)) for row in shown]
    left = len(order) - len(shown)
    return text_table(list(columns), lines) + f"\n... and {left} more, of smaller IoU" * (left > 0)


def _words(values: Iterator[Any]) -> Iterator[str]:
    for value in values:
        yield f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
