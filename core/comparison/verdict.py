"""Whether models agree: a rule on the figures of two maps, stated wherever its outcome is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..alignment.divergence import Divergence
from .rounding_noise import Noise
from .runs import Skipped, left_out

__all__ = [
    "ATTACK_CRITERION",
    "CEILING",
    "CRITERION",
    "LIMIT",
    "TIMES_NOISE",
    "Judgement",
    "Verdict",
    "agreement_limit",
    "judge",
    "severity",
    "verdict",
]

LIMIT = 1e-2
"""Largest relative L2 difference of two maps that count as the same: one percent cannot be seen."""
TIMES_NOISE = 10
"""A difference of up to this many times the rounding noise of one model is explained by rounding.

Two frameworks round in every layer, the estimate in the image only, and which rectifiers flip is chance: on
EfficientNet-Lite0's gradients, torch against ONNX came to at most 4 times the estimate from four pictures.
"""
CEILING = 0.1
"""Maps that differ by more than this are apart, however large the rounding noise is."""
CRITERION = (
    f"two maps agree if their relative L2 difference is below {LIMIT:g}, or below {TIMES_NOISE} times what rounding "
    f"alone does to one of them and {CEILING:g}"
)
ATTACK_CRITERION = (
    "two models fall alike if an attack fools both about a picture or neither, or if what it found on one of them "
    "fools the other too"
)
Judgement = Literal["agree", "rounding", "apart"]
"""Of two maps: they agree; they differ by no more than rounding explains; they differ by more."""


def severity(figures: Mapping[str, Any]) -> float:
    """What orders the pairs of one method's results of an image: how far maps are apart, how attacks are judged."""
    if "same_success" in figures:
        return {"agree": 0.0, "rounding": 1.0, "apart": 2.0}[judge(figures)]
    return float(figures["relative_l2"])


@dataclass(frozen=True)
class Verdict:
    """Whether all pairs agree and all models predict the same, and a sentence that says so."""

    agree: bool
    text: str


def agreement_limit(noise: Noise | None) -> float:
    """The relative L2 difference below which two maps agree, by `CRITERION`."""
    return max(LIMIT, min(CEILING, TIMES_NOISE * noise.figures["relative_l2"])) if noise else LIMIT


def judge(figures: Mapping[str, Any], noise: Noise | None = None) -> Judgement:
    """What `CRITERION` says of the figures of two maps, or `ATTACK_CRITERION` of those of two attacks."""
    if "same_success" in figures:
        return "agree" if figures["same_success"] == 1 else "rounding" if figures["shared_picture"] == 1 else "apart"
    distance = figures["relative_l2"]
    return "agree" if distance < LIMIT else "rounding" if distance < agreement_limit(noise) else "apart"


def verdict(
    rows: Sequence[Mapping[str, Any]],
    noise: Mapping[str, Noise],
    predicted: Sequence[Mapping[str, Any]] = (),
    divergences: Sequence[Divergence] = (),
    skipped: Sequence[Skipped] = (),
) -> Verdict:
    """What to conclude from a comparison.

    Args:
        rows: `Comparison.rows()`, the worst figures of each method and pair of models.
        noise: by method; a method without it is judged by `LIMIT` alone.
        predicted: `Comparison.predicted`, how far each pair's predictions agree.
        divergences: results of `crosslens.diverge`; a fault is told.
        skipped: what was left out; it is told first.

    >>> verdict([{"method": "gradient", "models": ["a", "b"], "relative_l2": 2e-6}], {}).text
    'All pairs of maps agree, 1 of 1 (two maps agree if their relative L2 difference is below 0.01, or below 10 times
     what rounding alone does to one of them and 0.1).'
    """
    attacks, rows = ([row for row in rows if ("same_success" in row) == wanted] for wanted in (True, False))
    judgements = [judge(row, noise.get(row["method"])) for row in rows]
    differing = [row for row in predicted if row["same_class"] < 1]
    apart, by_rounding = (
        [_name(row) for row, judgement in zip(rows, judgements, strict=True) if judgement == wanted]
        for wanted in ("apart", "rounding")
    )
    parts = [f"Left out: {_first_three([each.rstrip('.') for each in left_out(skipped)], '; ')}."] if skipped else []
    parts += [_predictions(differing)] if differing else []
    falls = [_name(row) for row in attacks if judge(row) == "apart"]
    if attacks:
        parts.append(_attacks(attacks, falls))
    if apart:
        parts.append(f"{len(apart)} of {len(rows)} pairs of maps do not agree: {_first_three(apart)} ({CRITERION}).")
    elif rows:
        parts.append(f"All pairs of maps agree, {len(rows)} of {len(rows)} ({CRITERION}).")
    if by_rounding:
        parts.append(f"More than {LIMIT:g} apart, but no more than rounding explains: {_first_three(by_rounding)}.")
    parts += [divergence.text for divergence in divergences if divergence.first is not None]
    return Verdict(not apart and not falls and not differing, " ".join(parts))


def _attacks(rows: Sequence[Mapping[str, Any]], apart: list[str]) -> str:
    if apart:
        names = _first_three(apart)
        return f"{len(apart)} of {len(rows)} pairs of models do not fall alike: {names} ({ATTACK_CRITERION})."
    return f"All pairs of models fall alike, {len(rows)} of {len(rows)} ({ATTACK_CRITERION})."


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['method']} on {' and '.join(row['models'])}"


def _predictions(differing: Sequence[Mapping[str, Any]]) -> str:
    scores = any("score_difference" in row for row in differing)
    pairs = [f"{' and '.join(row['models'])} agree on {row['same_class']:.0%} of the pictures" for row in differing]
    return f"The models {'give different scores' if scores else 'predict different classes'}: {_first_three(pairs)}."


def _first_three(names: list[str], between: str = ", ") -> str:
    return between.join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
