"""The figures of many images summed up: the worst, quantiles on the way to it, and limits that they must keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError, unknown_name
from .figures import FIGURES, Figure

__all__ = ["Limit", "quantiles", "worst"]

_SHARES = {"median": 0.5, "90 %": 0.9, "worst": 1.0}


def worst(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The least good value of each figure; NaN where there is any.

    >>> worst([{"relative_l2": 0.1, "ssim": 0.9}, {"relative_l2": 0.2, "ssim": 0.99}])
    {'relative_l2': 0.2, 'ssim': 0.9}
    """
    return {name: values["worst"] for name, values in quantiles(rows).items()}


def quantiles(rows: Iterable[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Quantiles of each figure over the images: half of them are at least as good as its median, nine of ten as "90 %".

    Each is the value of an image, never one in between; "worst" is the least good of all, "mean" their mean.
    """
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {
        name: _quantiles(values, higher_is_better=FIGURES[name].higher_is_better) for name, values in columns.items()
    }


def _quantiles(values: Sequence[float], *, higher_is_better: bool) -> dict[str, float]:
    ordered = np.sort(values)[::-1] if higher_is_better else np.sort(values)
    if np.isnan(ordered).any():
        return dict.fromkeys([*_SHARES, "mean"], float("nan"))
    indices = {name: max(0, int(np.ceil(share * len(ordered))) - 1) for name, share in _SHARES.items()}
    return {name: float(ordered[index]) for name, index in indices.items()} | {"mean": float(ordered.mean())}


@dataclass(frozen=True)
class Limit:
    """A bound that a figure of a comparison must keep, on every image."""

    figure: str
    bound: float
    is_lower: bool = False
    """Whether values must be at least the bound: those of a figure of which a higher value is better."""

    @classmethod
    def read(cls, text: str, figures: Mapping[str, Figure] = FIGURES) -> "Limit":
        """The limit that a text like "relative_l2=1e-3" states, of one of these figures.

        Raises:
            ParameterError: no figure has this name, or no number stands there.
        """
        name, _, number = text.partition("=")
        if name not in figures:
            raise ParameterError(unknown_name("figure", name, figures))
        try:
            bound = float(number)
        except ValueError as error:
            raise ParameterError(f"{text!r} is not a limit; write {name}=NUMBER, {name}=1e-3 for example") from error
        if not np.isfinite(bound):
            raise ParameterError(f"the limit of {name} is {number}; it must be a finite number")
        return cls(name, bound, figures[name].higher_is_better)

    def allows(self, value: float) -> bool:
        """Whether a value keeps the limit; NaN does not."""
        return value >= self.bound if self.is_lower else value <= self.bound

    def __str__(self) -> str:
        return f"{self.figure} {'at least' if self.is_lower else 'at most'} {self.bound:g}"
