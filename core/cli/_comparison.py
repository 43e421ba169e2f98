"""A comparison as text on the terminal: predictions, the figures of each pair, the verdict."""

from collections.abc import Iterator
from typing import Any

from ..comparison.comparison import Comparison
from ..comparison.figures import MAP_FIGURES, format_map_figures
from ..comparison.predictions import predictions_agree
from ..comparison.verdict import judge
from ._tables import table

__all__ = ["notes", "summary"]

MOST_PREDICTIONS = 8
"""With more pictures than this, only those are listed whose predicted classes differ."""


def notes(comparison: Comparison) -> Iterator[str]:
    """What a reader must know to trust the values, each with its method and model."""
    for (method, model), result in comparison.results.items():
        yield from (f"{method} on {model}: {note}" for note in result.notes)


def summary(comparison: Comparison) -> str:
    """Predictions, figures and verdict as text."""
    units = {p.unit: None for p in comparison.predictions}
    header = ["picture", "model", "class", "label", " or ".join(units)]
    parts = [table(header, rows)] if (rows := _prediction_rows(comparison)) else []
    marks = {"agree": "yes", "rounding": "yes (rounding)", "apart": "NO"}
    rows = []
    for row in comparison.rows():
        noise = comparison.noise.get(row["method"])
        expected = f"{noise.figures['relative_l2']:.2e}" if noise else "-"
        rows.append((row["method"], *row["models"], *format_map_figures(row), expected, marks[judge(row, noise)]))
    names = [figure.short for figure in MAP_FIGURES.values()]
    parts += [table(["method", "model", "and", *names, "L2 by rounding", "agrees"], rows)]
    parts += ["\n".join(_layer_lines(comparison))] if comparison.layers else []
    return "\n\n".join([*parts, comparison.view.verdict.text])


def _layer_lines(comparison: Comparison) -> Iterator[str]:
    """The layers that each method explains, by model."""
    for method in dict.fromkeys(row["method"] for row in comparison.layers):
        rows = [row for row in comparison.layers if row["method"] == method]
        where = "; ".join(f"{', '.join(row['layers'])} of {row['model']}" for row in rows)
        yield f"{method} explains {where}" + " (the default)" * rows[0]["default"]


def _prediction_rows(comparison: Comparison) -> list[tuple[Any, ...]]:
    """A row for each picture and model; of many pictures only those where the predictions differ."""
    count = max((len(p.classes) for p in comparison.predictions), default=0)
    differ = [n for n in range(count) if not predictions_agree(comparison.predictions, n)]
    return [
        (comparison.title(n), p.model, p.classes[n], p.labels[n], f"{p.probabilities[n]:.4f}")
        for n in (range(count) if count <= MOST_PREDICTIONS else differ)
        for p in comparison.predictions
    ]
