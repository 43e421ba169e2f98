"""LIME (Ribeiro, Singh and Guestrin, 2016, https://arxiv.org/abs/1602.04938)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from crosslens.errors import ParameterError
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._regression import LinearModel, Solver, lasso, linear_fit, ridge
from ._segmented_image import Present, SegmentedImage
from ._superpixel_method import SuperpixelMethod

REGRESSIONS = ("ridge", "lasso")
NEGLIGIBLE = 1e-12
"""The kernel's value, 1 at the image, of a copy that does not count."""
DISTANCES, DRAWS, PENALTIES = ("presence", "cosine", "euclidean"), ("number", "coin"), ("share", "alpha")


@dataclass(frozen=True, kw_only=True)
class LIME(SuperpixelMethod):
    """A linear model that imitates the target nearby.

    The weights of a linear model that imitates the target near the image, in which superpixels are left out.

    Equation 2 of the paper: sum_z pi(z) (S(z) - w_0 - w z)^2 is minimised over copies z with some superpixels left, as
    many as a uniform draw says; pi(z) = exp(-D^2 / width^2), D the cosine distance to the image, 1 - (|z| / K)^0.5.
    The penalty keeps w small: "ridge", penalty |w|^2 beside the weighted mean of squares; "lasso", sum |w|, penalty as
    a share of the least that leaves no superpixel at all.
    """

    name = "lime"
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(
            {"samples": 25, "draws": "coin", "distance": "cosine", "width": sqrt(2), "fill": 0.0}
            | {"regression": "lasso", "penalty": 0.01, "penalty_as": "alpha"},
            doc="without a feature mask each number of the image is its superpixel; give superpixels",
        ),
        "xplique": Preset(
            {"samples": 150, "draws": "coin", "distance": "euclidean", "width": 45.0, "fill": "grey"}
            | {"superpixels": "quickshift", "penalty": 2.0, "penalty_as": "alpha"},
        ),
    }
    draws: str = param("number", "how many are left: any number alike, or each by a coin", choices=DRAWS)
    distance: str = param("presence", "to the image: by the superpixels left, or by pixels", choices=DISTANCES)
    width: float = param(0.25, "width of the kernel: how near a copy must be to the image to count", above=0)
    regression: str = param("ridge", "what keeps the weights small", choices=REGRESSIONS)
    penalty: float = param(0.001, "how small; 0 is least squares", minimum=0)
    penalty_as: str = param("share", "the penalty is as above, or scikit-learn's alpha", choices=PENALTIES)

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.samples < 2:
            raise ParameterError(f"samples is {self.samples}; a linear model takes 2 copies at least, better hundreds")
        if self.regression == "lasso" and self.penalty_as == "share" and self.penalty >= 1:
            raise ParameterError(f"penalty is {self.penalty}; as a share, for the lasso, it must be below 1")

    def linear_model(self, image: SegmentedImage, score: float) -> LinearModel:
        """Coefficients and intercept; the fit counts copies as the kernel does."""
        rng = np.random.default_rng(self.seed)
        present = (_any_number if self.draws == "number" else _coin_tosses)(self.samples, image.count, rng)
        if self.distance == "presence":
            distances = 1 - np.sqrt(present.mean(axis=1))
        else:
            distances = image.distances(present, self.distance)
        kernel = np.exp(-(distances**2) / self.width**2)
        if len(np.unique(present[kernel > NEGLIGIBLE], axis=0)) < 2:
            raise ParameterError(
                f"width is {self.width}, so that fewer than two different copies count: they are "
                f"{distances.min():.3g} to {distances.max():.3g} away from the image; raise width"
            )
        total = float(kernel.sum())
        return linear_fit(present.astype(np.float64), image.scores(present), kernel / kernel.sum(), self._solver(total))

    def _solver(self, total: float) -> Solver:
        """The regression; `total` is what scikit-learn's weights add up to, ours to one."""
        if self.regression == "ridge":
            return ridge(self.penalty / total if self.penalty_as == "alpha" else self.penalty)
        return lasso(self.penalty, share=self.penalty_as == "share")


def _any_number(samples: int, count: int, rng: np.random.Generator) -> Present:
    """(samples, count): from 1 to all superpixels are shown, the number uniform, which ones uniform (section 3.3)."""
    present = np.zeros((samples, count), np.bool_)
    for row in present:
        row[rng.permutation(count)[: rng.integers(1, count + 1)]] = True
    return present


def _coin_tosses(samples: int, count: int, rng: np.random.Generator) -> Present:
    """(samples, count): each superpixel is shown with probability one half."""
    return np.asarray(rng.random((samples, count)) < 0.5)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [LIME]
