"""Whether models agree, by a rule that is stated wherever its outcome is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..comparison.compare import Comparison
from ..comparison.metrics import POINTING_TOLERANCE, TOP_SHARE
from ..comparison.rounding_noise import Noise
from .markup import Markup, element

__all__ = [
    "CEILING",
    "CRITERION",
    "FIGURES",
    "LIMIT",
    "TIMES_NOISE",
    "Figure",
    "Verdict",
    "bound",
    "judged",
    "mark",
    "verdict",
    "written",
]

LIMIT = 1e-2
"""Largest relative L2 difference of two maps that count as the same: one percent cannot be seen."""
TIMES_NOISE = 10
"""So many times the difference that rounding alone makes on one model is put down to rounding.

Two frameworks round in every layer, the estimate in the image only, and which rectifiers flip is chance: on
EfficientNet-Lite0's gradients, torch against ONNX came to at most 4 times the estimate from four pictures.
"""
CEILING = 0.1
"""Beyond this, maps are apart whatever rounding does."""
CRITERION = (
    f"two maps agree if their relative L2 difference is below {LIMIT:g}, or below {TIMES_NOISE} times what rounding "
    f"alone does to one of them and {CEILING:g}"
)
Judgement = Literal["agree", "rounding", "apart"]


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
    "correlation": Figure(
        "Pearson", "Pearson's correlation: 1 if one map is the other times a positive factor.", ".5f"
    ),
    "rank_correlation": Figure(
        "Spearman",
        "Spearman's rank correlation: 1 if both maps order all places alike, 0 if they have nothing in common, "
        "-1 if they are opposed.",
        ".5f",
    ),
    "ssim": Figure("SSIM", "Structural similarity: 1 if the maps look the same in every neighbourhood.", ".4f"),
    "top_k": Figure(
        f"top {TOP_SHARE:.0%}",
        f"Of the {TOP_SHARE:.0%} of places that speak most for the target in the first map, the share that is among "
        "those of the second.",
        ".3f",
    ),
    "pointing": Figure(
        "same maximum",
        f"Whether both maps point at the same place: their maxima lie within {POINTING_TOLERANCE:.1%} of the side, the "
        "pointing game's 15 pixels of 224. 1 is yes.",
        ".0f",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Whether all pairs agree and all models predict the same, and a sentence that says so."""

    agree: bool
    text: str


def written(row: Mapping[str, Any]) -> list[str]:
    """The figures of a row of `Comparison.rows` as text, in the order of `FIGURES`; a dash where there is none."""
    return [f"{row[key]:{figure.digits}}" if key in row else "-" for key, figure in FIGURES.items()]


def bound(noise: Noise | None) -> float:
    """The relative L2 difference below which two maps agree, by `CRITERION`."""
    return max(LIMIT, min(CEILING, TIMES_NOISE * noise.figures["relative_l2"])) if noise else LIMIT


def judged(row: Mapping[str, Any], noise: Noise | None = None) -> Judgement:
    """What `CRITERION` says of a row: "agree", "rounding" (more, but no more than rounding explains) or "apart"."""
    distance = row["relative_l2"]
    return "agree" if distance < LIMIT else "rounding" if distance < bound(noise) else "apart"


def mark(judgement: Judgement) -> Markup:
    """A judgement as a sign and a word, never by colour alone."""
    if judgement == "apart":
        return element("span", "✗ no", class_="no")
    return element("span", "✓ yes" if judgement == "agree" else "✓ rounding", class_="yes")


def verdict(comparison: Comparison) -> Verdict:
    """What to make of a comparison.

    >>> from types import SimpleNamespace
    >>> row = {"method": "gradient", "models": ["a", "b"], "relative_l2": 2e-6}
    >>> alike = SimpleNamespace(predicted=(), rows=lambda: [row], noise={}, divergences=())
    >>> verdict(alike).text
    'All pairs of maps agree, 1 of 1 (two maps agree if their relative L2 difference is below 0.01, or below 10 times
     what rounding alone does to one of them and 0.1).'
    """
    rows = list(comparison.rows())
    found = [judged(row, comparison.noise.get(row["method"])) for row in rows]
    differing = [row for row in comparison.predicted if row["same_class"] < 1]
    said = [_predictions(row) for row in differing]
    what = (
        "give different scores" if any("score_difference" in row for row in differing) else "predict different classes"
    )
    apart = [_named(row) for row, judgement in zip(rows, found, strict=True) if judgement == "apart"]
    only = [_named(row) for row, judgement in zip(rows, found, strict=True) if judgement == "rounding"]
    parts = [*([f"The models {what}: " + _listed(said) + "."] if said else [])]
    if apart:
        parts.append(f"{len(apart)} of {len(rows)} pairs of maps do not agree: {_listed(apart)} ({CRITERION}).")
    else:
        parts.append(f"All pairs of maps agree, {len(rows)} of {len(rows)} ({CRITERION}).")
    if only:
        parts.append(f"More than {LIMIT:g} apart, but no more than rounding explains: {_listed(only)}.")
    parts += [part.text for part in comparison.divergences if part.first is not None]
    return Verdict(not apart and not said, " ".join(parts))


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['method']} on {' and '.join(row['models'])}"


def _predictions(row: Mapping[str, Any]) -> str:
    return f"{' and '.join(row['models'])} agree on {row['same_class']:.0%} of the pictures"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
