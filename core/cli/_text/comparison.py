"""A comparison as text on the terminal: predictions, the figures of each pair, the verdict."""

from collections.abc import Iterator
from typing import Any

from ...comparison.comparison import Comparison
from ...comparison.figures import ATTACK_FIGURES, MAP_FIGURES, format_figures, format_map_figures
from ...comparison.predictions import predictions_agree
from ...comparison.verdict import judge
from ...robustness.caveats import CAVEATS
from .tables import table
from .transfer_text import matrix_text

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
    for row in (row for row in comparison.rows() if row["method"] not in comparison.transfers):
        noise = comparison.noise.get(row["method"])
        expected = f"{noise.figures['relative_l2']:.2e}" if noise else "-"
        rows.append((row["method"], *row["models"], *format_map_figures(row), expected, marks[judge(row, noise)]))
    names = [figure.short for figure in MAP_FIGURES.values()]
    parts += [table(["method", "model", "and", *names, "L2 by rounding", "agrees"], rows)] if rows else []
    parts += _attack_parts(comparison)
    parts += ["\n".join(_layer_lines(comparison))] if comparison.layers else []
    return "\n\n".join([*parts, comparison.view.verdict.text])


def _attack_parts(comparison: Comparison) -> Iterator[str]:
    """What each attack did to each model, whether they fall alike, and the matrix if it was asked for."""
    view, marks = comparison.view, {"agree": "yes", "rounding": "yes (rounding)", "apart": "NO"}
    rows = []
    for attack in view.attacks:
        for run in attack.runs:
            count, (low, high), median = len(run.success), run.interval, run.median_distance
            share = f"{run.fooled} of {count} ({low:.2f} to {high:.2f})"
            distance = "-" if median is None else f"{median:.4g}"
            rows.append((attack.method, run.model, share, distance, f"{sum(run.queries) / count:.1f}"))
    if not rows:
        return
    yield table(["attack", "model", "fooled", "median distance", "queries"], rows)
    pairs = [
        (pair.method, *pair.models, *format_figures(pair.worst, ATTACK_FIGURES), marks[pair.judgement])
        for pair in view.pairs
        if pair.method in comparison.transfers
    ]
    yield table(["attack", "model", "and", *(figure.short for figure in ATTACK_FIGURES.values()), "alike"], pairs)
    for attack in view.attacks:
        if attack.matrix:
            yield matrix_text(attack.transfer)
    yield CAVEATS[0].partition(". ")[0] + "."


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
