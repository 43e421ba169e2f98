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

from ._regression import explained_share, fitted, ridge
from ._superpixels import Floats, Pieces, SuperpixelMethod, Weights

ENDS = {"held": 0.0, "weighted": 1e6, "ignored": 0.0}
"""How what is known of the whole and of nothing is used; and how much more it counts than a coalition drawn."""
Coalitions = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class KernelSHAP(SuperpixelMethod):
    """Each superpixel's Shapley value: the mean change of the target as it joins the others, over all orders.

    Theorem 2 of the paper: they minimise sum_z pi(z) (S(z) - S(nothing) - sum_k phi_k z_k)^2 with
    pi(z) = (K - 1) / (C(K, |z|) |z| (K - |z|)) under sum_k phi_k = S(image) - S(nothing), which holds exactly here.
    If `samples` allows all 2^K - 2 coalitions the values are exact; otherwise coalitions are drawn in proportion to pi,
    each with its complement (Covert and Lee 2021, https://arxiv.org/abs/2012.01536).
    """

    name = "kernel_shap"
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

    def explain(self, pieces: Pieces, score: float) -> Weights:
        """Shapley values; the rest is the target where nothing is left."""
        if self.ends != "held":
            return self._unconstrained(pieces)
        coalitions, weights = _coalitions(pieces.count, self.samples, np.random.default_rng(self.seed))
        nothing, *scores = pieces.scores(np.concatenate([np.zeros_like(coalitions[:1]), coalitions]))
        y, z, gain = np.asarray(scores) - nothing, coalitions.astype(np.float64), score - nothing
        values = _constrained(z.T @ (weights[:, None] * z), z.T @ (weights * y), gain)
        apart = y - weights @ y / weights.sum()
        return Weights(values, float(nothing), explained_share(y + nothing, apart, y - z @ values, weights))

    def _unconstrained(self, pieces: Pieces) -> Weights:
        """Least squares with an intercept, of least norm where coalitions are too few."""
        count, rng = pieces.count, np.random.default_rng(self.seed)
        known = np.asarray([[True] * count, [False] * count])[: 2 if ENDS[self.ends] else 0]
        if self.samples < len(known) + 2:
            raise ParameterError(
                f"samples is {self.samples}; with ends={self.ends!r} it must be {len(known) + 2} or more"
            )
        drawn = np.concatenate([known, _drawn(count, self.samples - len(known), rng)])
        weights = np.asarray([ENDS[self.ends]] * len(known) + [1.0] * (self.samples - len(known)))
        return fitted(drawn.astype(np.float64), pieces.scores(drawn), weights / weights.sum(), ridge(0.0))


def _coalitions(count: int, samples: int, rng: np.random.Generator) -> tuple[Coalitions, Floats]:
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
    half = _drawn(count, samples // 2, rng)
    return np.concatenate([half, ~half]), np.ones(2 * len(half))


def _drawn(count: int, samples: int, rng: np.random.Generator) -> Coalitions:
    """Coalitions of some but not all, (samples, count): the size in proportion to pi, which ones uniform."""
    sizes = np.arange(1, count)
    kernel = 1 / (sizes * (count - sizes))
    drawn = np.zeros((samples, count), np.bool_)
    for row, size in zip(drawn, rng.choice(sizes, samples, p=kernel / kernel.sum()), strict=True):
        row[rng.permutation(count)[:size]] = True
    return drawn


def _constrained(gram: Floats, moment: Floats, total: float) -> Floats:
    """The minimum of w' G w - 2 w' m under sum w = total, by Lagrange's multiplier.

    Raises:
        ParameterError: the coalitions leave it open.
    """
    ones = np.ones((len(moment), 1))
    system = np.block([[gram, ones], [ones.T, np.zeros((1, 1))]])
    if np.linalg.matrix_rank(system) < len(system):
        raise ParameterError("the coalitions drawn do not tell all superpixels apart: raise samples")
    found: Floats = np.linalg.solve(system, np.append(moment, total))[:-1]
    return found


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [KernelSHAP]
