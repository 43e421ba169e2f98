"""Kernel SHAP (Lundberg and Lee, 2017, https://arxiv.org/abs/1705.07874)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import ClassVar

import numpy as np
from crosslens.errors import ParameterError
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._regression import LinearModel, explained_share, linear_fit, ridge
from ._segmented_image import Floats, Present, SegmentedImage
from ._superpixel_method import SuperpixelMethod

ENDS = {"held": 0.0, "weighted": 1e6, "ignored": 0.0}
"""What is made of the image and of the fully covered one; and how much more they count than a coalition drawn."""


@dataclass(frozen=True, kw_only=True)
class KernelSHAP(SuperpixelMethod):
    """The Shapley value of each superpixel.

    Each superpixel's Shapley value: the mean change of the target as it joins the others, over all orders.

    Theorem 2 of the paper: they minimise sum_z pi(z) (S(z) - S(nothing) - sum_k phi_k z_k)^2 with
    pi(z) = (K - 1) / (C(K, |z|) |z| (K - |z|)) under sum_k phi_k = S(image) - S(nothing), which holds exactly here.
    If `samples` allows all 2^K - 2 coalitions the values are exact; otherwise coalitions are drawn in proportion to pi,
    each with its complement (Covert and Lee 2021, https://arxiv.org/abs/2012.01536).
    """

    name = "kernel_shap"
    aliases: ClassVar[Mapping[str, str]] = {
        "shap": "of the SHAP methods Kernel SHAP over superpixels; expected_gradients is the one by gradients",
    }
    nearest_to: ClassVar[Mapping[str, str]] = {
        "shapley_value_sampling": "it estimates the same values",
        "partition_shap": "it estimates the same values",
        "sobol": "it scores superpixels by what they change, too",
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(
            {"samples": 25, "fill": 0.0, "ends": "weighted"},
            doc="two samples are the whole and nothing; without a feature mask each number is its superpixel",
        ),
        "xplique": Preset(
            {"samples": 800, "fill": "grey", "superpixels": "quickshift", "ends": "ignored"},
            doc="bug: the values need not add up to what the image gains over its cover",
        ),
    }
    ends: str = param("held", "what values add up to: held exactly, weighted, or ignored", choices=tuple(ENDS))

    def check_parameters(self) -> None:
        super().check_parameters()
        least = {"held": 1, "weighted": 4, "ignored": 2}[self.ends]
        if self.samples < least:
            raise ParameterError(f"samples is {self.samples}; with ends={self.ends!r} it must be {least} or more")

    def linear_model(self, image: SegmentedImage, score: float) -> LinearModel:
        """Shapley values; the intercept is the target where all superpixels are covered."""
        if self.ends != "held":
            return self._least_squares(image)
        coalitions, weights = _coalitions(image.count, self.samples, np.random.default_rng(self.seed))
        nothing, *scores = image.scores(np.concatenate([np.zeros_like(coalitions[:1]), coalitions]))
        y, z, gain = np.asarray(scores) - nothing, coalitions.astype(np.float64), score - nothing
        values = _with_given_sum(z.T @ (weights[:, None] * z), z.T @ (weights * y), gain)
        centred = y - weights @ y / weights.sum()
        return LinearModel(values, float(nothing), explained_share(y + nothing, centred, y - z @ values, weights))

    def _least_squares(self, image: SegmentedImage) -> LinearModel:
        """Least squares with an intercept, of least norm where coalitions are too few."""
        count, rng = image.count, np.random.default_rng(self.seed)
        known = np.asarray([[True] * count, [False] * count])[: 2 if ENDS[self.ends] else 0]
        drawn = np.concatenate([known, _random_coalitions(count, self.samples - len(known), rng)])
        weights = np.asarray([ENDS[self.ends]] * len(known) + [1.0] * (self.samples - len(known)))
        return linear_fit(drawn.astype(np.float64), image.scores(drawn), weights / weights.sum(), ridge(0.0))


def _coalitions(count: int, samples: int, rng: np.random.Generator) -> tuple[Present, Floats]:
    """Some but not all of `count` superpixels, (S, count), and how much each coalition counts, (S,).

    Raises:
        ParameterError: too few samples to tell the superpixels apart.
    """
    sizes = np.arange(1, count)
    kernel = (count - 1) / (sizes * (count - sizes))  # pi summed over all coalitions of a size
    if count < 30 and 2**count - 2 <= samples:
        every = (np.arange(1, 2**count - 1)[:, None] >> np.arange(count) & 1).astype(np.bool_)
        number = np.asarray([float(comb(count, int(s))) for s in sizes])
        return every, (kernel / number)[every.sum(axis=1) - 1]
    if samples < 2 * count:
        raise ParameterError(
            f"samples is {samples}; {count} superpixels need at least {2 * count}, or fewer superpixels"
        )
    half = _random_coalitions(count, samples // 2, rng)
    return np.concatenate([half, ~half]), np.ones(2 * len(half))


def _random_coalitions(count: int, samples: int, rng: np.random.Generator) -> Present:
    """Coalitions of some but not all, (samples, count): the size in proportion to pi, which ones uniform."""
    sizes = np.arange(1, count)
    kernel = 1 / (sizes * (count - sizes))
    coalitions = np.zeros((samples, count), np.bool_)
    for row, size in zip(coalitions, rng.choice(sizes, samples, p=kernel / kernel.sum()), strict=True):
        row[rng.permutation(count)[:size]] = True
    return coalitions


def _with_given_sum(gram: Floats, moment: Floats, total: float) -> Floats:
    """The minimum of w' G w - 2 w' m under sum w = total, by Lagrange's multiplier.

    Raises:
        ParameterError: the coalitions leave it open.
    """
    ones = np.ones((len(moment), 1))
    system = np.block([[gram, ones], [ones.T, np.zeros((1, 1))]])
    if np.linalg.matrix_rank(system) < len(system):
        raise ParameterError("the coalitions drawn do not tell all superpixels apart: raise samples")
    coefficients: Floats = np.linalg.solve(system, np.append(moment, total))[:-1]
    return coefficients


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [KernelSHAP]
