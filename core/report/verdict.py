"""Whether models agree, by a rule that is stated wherever its outcome is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..compare import Comparison

__all__ = ["CRITERION", "FIGURES", "LIMIT", "Figure", "Verdict", "agrees", "verdict", "written"]

LIMIT = 1e-2
"""Largest relative L2 difference of two maps that count as the same.

Rounding alone moves gradients of a deep network of ReLUs by up to some percent at single places (a pre-activation near
zero changes its sign); over a whole map that stays below this, and a difference of one percent cannot be seen.
"""
CRITERION = f"two maps agree if their relative L2 difference is below {LIMIT:g}"


@dataclass(frozen=True)
class Figure:
    """A figure's short name, what it says, and how it is written."""

    short: str
    meaning: str
    digits: str = ".2e"


FIGURES: Mapping[str, Figure] = {
    "max_relative_difference": Figure(
        "max rel. difference",
        "The largest difference at any one place, as a share of the largest value of the first model's map. "
        "One unit that rounding switches on or off can raise it without changing the picture.",
    ),
    "relative_l2": Figure(
        "relative L2",
        "How far the two maps are apart as a whole: the length of their difference over the length of the first "
        "model's map. 0 means equal; 0.01 cannot be seen.",
    ),
    "rank_correlation": Figure(
        "rank correlation",
        "Spearman's: 1 if both maps order all places alike, 0 if they have nothing in common, -1 if they are opposed.",
        ".5f",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Whether all pairs agree and all models predict the same, and a sentence that says so."""

    agree: bool
    text: str


def written(row: Mapping[str, Any]) -> list[str]:
    """The figures of a row of `Comparison.figures` as text, in the order of `FIGURES`."""
    return [f"{row[key]:{figure.digits}}" for key, figure in FIGURES.items()]


def agrees(row: Mapping[str, Any]) -> bool:
    """Whether a row of `Comparison.figures` passes `CRITERION`."""
    return bool(row["relative_l2"] < LIMIT)


def verdict(comparison: Comparison) -> Verdict:
    """What to make of a comparison.

    >>> from types import SimpleNamespace
    >>> row = {"method": "gradient", "models": ["a", "b"], "relative_l2": 2e-6}
    >>> verdict(SimpleNamespace(predictions=(), figures=lambda: [row])).text
    'All pairs of maps agree, 1 of 1 (two maps agree if their relative L2 difference is below 0.01).'
    """
    rows = list(comparison.figures())
    apart = [f"{row['method']} on {' and '.join(row['models'])}" for row in rows if not agrees(row)]
    said = {p.classes for p in comparison.predictions}
    parts = ["The models predict different classes."] if len(said) > 1 else []
    if apart:
        named = ", ".join(apart[:3]) + (f" and {len(apart) - 3} more" if len(apart) > 3 else "")
        parts.append(f"{len(apart)} of {len(rows)} pairs of maps do not agree: {named} ({CRITERION}).")
    else:
        parts.append(f"All pairs of maps agree, {len(rows)} of {len(rows)} ({CRITERION}).")
    return Verdict(not apart and len(said) <= 1, " ".join(parts))
