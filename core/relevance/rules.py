"""Rules of relevance for one linear map, each as the table that a backend runs.

z_j = sum_i x_i w_ij + b_j; R_j is the relevance of z_j, R_i what x_i gets of it. K+ and K- are the positive and the
negative part of a kernel. Every rule divides by stabilised values: v + epsilon sign(v).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..errors import ParameterError
from ..model.kernel_rules import Branch, KernelRule
from .linear_map import LinearMap, Values

__all__ = ["AlphaBeta", "Box", "Epsilon", "ExcitationBackprop", "Flat", "Gamma", "Rule", "WSquare", "ZPlus"]


@dataclass(frozen=True)
class Rule(ABC):
    """How a linear map passes relevance on."""

    name: ClassVar[str]
    """What users call it."""
    epsilon: float = 1e-6
    """The stabiliser, 0 or more."""
    biased: bool = field(default=True, kw_only=True)
    """Whether biases take their share where a rule adds up contributions of one sign; else inputs share that too. Where
    signs are mixed they always do: without b the sum may be of the other sign, or 0, and relevance explodes."""
    is_local: ClassVar[bool] = False
    """Whether it gives relevance without the input as a factor; only layers that read the image can have it."""

    def table(self, linear: LinearMap) -> KernelRule:
        """The rule at this linear map."""
        border = linear.border if self.is_local else ()
        return KernelRule(self.branches(linear), self.epsilon, linear.gain, linear.shift, border, self.is_local)

    @abstractmethod
    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        """The branches of its table."""


@dataclass(frozen=True)
class Epsilon(Rule):
    """R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j (Bach et al. 2015, equation 58); LRP-0 where epsilon is 0."""

    name = "epsilon"

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        return (Branch(bias=linear.bias),)


@dataclass(frozen=True)
class ZPlus(Rule):
    """Positive contributions alone, x+ w+ and x- w- (Montavon et al. 2017, the z+ rule; alpha 1, beta 0)."""

    name = "z_plus"

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        return (_contributions(linear, biased=self.biased, positive=True),)


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """alpha times the positive contributions less beta times the negative ones (Bach et al. 2015, equation 60)."""

    name = "alpha_beta"
    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha < 1 or self.beta < 0 or not abs(self.alpha - self.beta - 1) <= 1e-9:
            raise ParameterError(
                f"alpha_beta has alpha {self.alpha:g} and beta {self.beta:g}; relevance is conserved with alpha - beta "
                "= 1, alpha at least 1: alpha_beta:2:1 or alpha_beta:1:0"
            )

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        positive = replace(_contributions(linear, biased=self.biased, positive=True), weight=self.alpha)
        negative = replace(_contributions(linear, biased=self.biased, positive=False), weight=-self.beta)
        return (positive, negative) if self.beta else (positive,)


@dataclass(frozen=True)
class Gamma(Rule):
    """Contributions of z's own sign count 1 + gamma times (Montavon et al. 2019, section 10.2.1; for inputs and outputs
    of either sign as in Andeol et al. 2021)."""

    name = "gamma"
    gamma: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < np.inf:
            raise ParameterError(f"gamma is {self.gamma:g}; give 0 or more, and not infinity: gamma:0.25")

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        kernel, bias = linear.kernel, linear.bias
        with_positive = kernel + self.gamma * kernel.clip(min=0)
        above = _by_sign(linear, with_positive, kernel + self.gamma * kernel.clip(max=0))
        if bias is not None:
            above = replace(above, bias=bias + self.gamma * bias.clip(min=0))
        if linear.rectified:
            return (above,)
        below = _by_sign(linear, kernel + self.gamma * kernel.clip(max=0), with_positive)
        if bias is not None:
            below = replace(below, bias=bias + self.gamma * bias.clip(max=0))
        return (replace(above, side="positive"), replace(below, side="negative"))


@dataclass(frozen=True)
class ExcitationBackprop(Rule):
    """Each unit's probability goes to its excitatory inputs, x+ w+ without biases (Zhang et al. 2018, equation 4)."""

    name = "excitation"
    epsilon: float = 0.0

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        inputs = "any" if linear.nonnegative else "positive"
        return (Branch(((inputs, linear.kernel.clip(min=0)),)),)


@dataclass(frozen=True)
class Flat(Rule):
    """R_j in equal parts to all inputs of j (Lapuschkin et al. 2019)."""

    name = "flat"
    is_local = True

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        kernel = linear.own_kernel
        return (Branch(((_ones(linear), np.ones_like(kernel)),)),)


@dataclass(frozen=True)
class WSquare(Rule):
    """R_j by the squared weights (Montavon et al. 2017, the w^2 rule)."""

    name = "w_square"
    is_local = True

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        return (Branch(((_ones(linear), linear.kernel**2),)),)


@dataclass(frozen=True)
class Box(Rule):
    """The z^B rule (Montavon et al. 2017): contributions x w - low w+ - high w-, of images between low and high."""

    name = "box"
    is_local = True
    low: tuple[float, ...] = ()
    """The least value of each channel of x."""
    high: tuple[float, ...] = ()

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        kernel = linear.kernel
        low, high = (np.asarray(values, kernel.dtype) for values in (self.low, self.high))
        return (Branch((("any", kernel), (low, -kernel.clip(min=0)), (high, -kernel.clip(max=0)))),)


def _contributions(linear: LinearMap, *, biased: bool, positive: bool) -> Branch:
    """The contributions of one sign, with the bias of that sign."""
    kernel, bias = linear.kernel, linear.bias
    above, below = kernel.clip(min=0), kernel.clip(max=0)
    branch = _by_sign(linear, above, below) if positive else _by_sign(linear, below, above)
    if bias is None or not biased:
        return branch
    return replace(branch, bias=bias.clip(min=0) if positive else bias.clip(max=0))


def _by_sign(linear: LinearMap, of_positive: Values, of_negative: Values) -> Branch:
    """One kernel for positive inputs, another for negative ones."""
    if linear.nonnegative:
        return Branch((("any", of_positive),))
    return Branch((("positive", of_positive), ("negative", of_negative)))


def _ones(linear: LinearMap) -> Values:
    return np.ones(linear.channels, linear.own_kernel.dtype)
