"""The figures of many images summed up: the worst, quantiles on the way to it, and limits that they must keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError, did_you_mean

__all__ = ["FIGURES", "Limit", "quantiles", "worst"]

FIGURES: Mapping[str, bool] = {
    "max_relative_difference": False,
    "relative_l2": False,
    "correlation": True,
    "rank_correlation": True,
    "ssim": True,
    "top_k": True,
    "pointing": True,
    "same_class": True,
    "probability_difference": False,
    "score_difference": False,
}
"""Every figure of a comparison by name, and whether more of it is better; see `crosslens.comparison.metrics`."""
_QUANTILES = {"median": 0.5, "90 %": 0.9, "worst": 1.0}


def worst(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure the least good value; NaN where there is any.

    >>> worst([{"relative_l2": 0.1, "ssim": 0.9}, {"relative_l2": 0.2, "ssim": 0.99}])
    {'relative_l2': 0.2, 'ssim': 0.9}
    """
    return {name: found["worst"] for name, found in quantiles(rows).items()}


def quantiles(rows: Iterable[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Of each figure, over the images: half are at least as good as its median, nine of ten as its "90 %".

    These are values of images, none in between; "worst" is the least good of all, "mean" their mean.
    """
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: _quantiles(values, better_if_more=FIGURES[name]) for name, values in columns.items()}


def _quantiles(values: Sequence[float], *, better_if_more: bool) -> dict[str, float]:
    ordered = np.sort(values)[::-1] if better_if_more else np.sort(values)
    if np.isnan(ordered).any():
        return dict.fromkeys([*_QUANTILES, "mean"], float("nan"))
    places = {name: max(0, int(np.ceil(share * len(ordered))) - 1) for name, share in _QUANTILES.items()}
    return {name: float(ordered[place]) for name, place in places.items()} | {"mean": float(ordered.mean())}


@dataclass(frozen=True)
class Limit:
    """A bound that a figure of a comparison must keep, on every image."""

    figure: str
    bound: float

    @classmethod
    def read(cls, text: str) -> "Limit":
        """From "relative_l2=1e-3".

        Raises:
            ParameterError: no such figure, or no number.
        """
        name, _, number = text.partition("=")
        if name not in FIGURES:
            known = ", ".join(FIGURES)
            raise ParameterError(f"no figure {name!r} to limit; there are {known}.{did_you_mean(name, FIGURES)}")
        try:
            bound = float(number)
        except ValueError as error:
            raise ParameterError(f"{text!r} is no limit: write {name}=NUMBER, {name}=1e-3 for example") from error
        if not np.isfinite(bound):
            raise ParameterError(f"the limit of {name} is {number}; it must be a finite number")
        return cls(name, bound)

    def kept(self, value: float) -> bool:
        """Whether a value keeps it; NaN does not."""
        return value >= self.bound if FIGURES[self.figure] else value <= self.bound

    def __str__(self) -> str:
        return f"{self.figure} {'at least' if FIGURES[self.figure] else 'at most'} {self.bound:g}"
