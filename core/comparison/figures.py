"""The figures of a comparison by name: whether a higher value is better, and how each is shown and explained."""

from collections.abc import Mapping
from dataclasses import dataclass

from .metrics import POINTING_TOLERANCE, TOP_SHARE

__all__ = ["ATTACK_FIGURES", "FIGURES", "MAP_FIGURES", "Figure", "format_figures", "format_map_figures"]


@dataclass(frozen=True)
class Figure:
    """A figure's heading, what it says, and how it is written."""

    short: str
    meaning: str
    digits: str = ".2e"
    higher_is_better: bool = False


MAP_FIGURES: Mapping[str, Figure] = {
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
        "Pearson", "Pearson's correlation: 1 if one map is the other times a positive factor.", ".5f", True
    ),
    "rank_correlation": Figure(
        "Spearman",
        "Spearman's rank correlation: 1 if both maps order all places alike, 0 if they have nothing in common, "
        "-1 if they are opposed.",
        ".5f",
        True,
    ),
    "ssim": Figure("SSIM", "Structural similarity: 1 if the maps look the same in every neighbourhood.", ".4f", True),
    "top_k": Figure(
        f"top {TOP_SHARE:.0%}",
        f"Of the {TOP_SHARE:.0%} of places that speak most for the target in the first map, the share that is among "
        "those of the second.",
        ".3f",
        True,
    ),
    "pointing": Figure(
        "same maximum",
        f"Whether both maps point at the same place: their maxima lie within {POINTING_TOLERANCE:.1%} of the side, the "
        "pointing game's 15 pixels of 224. 1 is yes.",
        ".0f",
        True,
    ),
}
"""What is computed of two maps, see `crosslens.comparison.metrics`."""

ATTACK_FIGURES: Mapping[str, Figure] = {
    "same_success": Figure(
        "same success", "Whether the attack fooled both models about the image, or neither. 1 is yes.", ".0f", True
    ),
    "shared_picture": Figure(
        "picture fools both",
        "Where only one of both was fooled: whether its picture fools the other one too, or misses that by a margin "
        "within rounding, so that both fall to it and only the attack's way differs. 1 is yes, or nothing to share.",
        ".0f",
        True,
    ),
    "distance_difference": Figure(
        "distance apart",
        "Where both were fooled: the difference of the pictures' distances from the image, as a share of the larger.",
    ),
}
"""What is computed of two attacks, see `crosslens.comparison.attacks`."""

FIGURES: Mapping[str, Figure] = {
    **MAP_FIGURES,
    **ATTACK_FIGURES,
    "same_class": Figure("same class", "The share of images of which both models predict one class.", ".3f", True),
    "probability_difference": Figure(
        "probability apart", "The largest difference of the probabilities of the class that the first model predicts."
    ),
    "score_difference": Figure("score apart", "The largest difference of the models' scores."),
}
"""Every figure: those of maps, of attacks, and of predictions, see `crosslens.comparison.predictions`."""


def format_map_figures(values: Mapping[str, float]) -> list[str]:
    """The map figures of a row as text, in the order of `MAP_FIGURES`; a dash where there is none."""
    return format_figures(values, MAP_FIGURES)


def format_figures(values: Mapping[str, float], figures: Mapping[str, Figure]) -> list[str]:
    """These figures of a row as text, in their order; a dash where there is none."""
    return [f"{values[key]:{figure.digits}}" if key in values else "-" for key, figure in figures.items()]
