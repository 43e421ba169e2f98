"""What attacks climb: cross-entropy and the margins between classes, with gradients that float32 does not break.

All are computed in float64 from the logits z that an `Aim` reads; y is the class to leave, t the one to reach. Larger
is nearer to success. With `scaled` each image's cotangent has a largest magnitude of 1: for steps that use only the
gradient's direction. A confident network's cross-entropy has a cotangent p - onehot(y) whose entries are too small for
a float32 backward pass: plain, over 1 % of the signs of its gradient were wrong on 13 of 20 MNIST digits.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, like
from ..errors import TargetError
from .aim import Aim
from .algebra import Activations, Objective

__all__ = ["LOSSES", "AttackLoss", "CrossEntropy", "DifferenceOfLogitsRatio", "Margin", "margins", "rounding"]

Values = np.ndarray[Any, Any]

_ROUNDING = 1e-6
"""In shares of the largest logit, or of 1."""


@dataclass(frozen=True, eq=False)
class AttackLoss(Objective):
    """A number per image that grows as the class is left, or as the other one is neared."""

    aim: Aim
    scaled: bool = False
    """Whether each image's cotangent is divided by its largest magnitude."""

    @abstractmethod
    def at_logits(self, logits: Values) -> tuple[Values, Values]:
        """The losses (N,), and their gradient at the logits (N, K), or a positive multiple of it if `scaled`."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.aim.layer})

    @property
    def count(self) -> int | None:
        return len(self.aim)

    def value(self, activations: Activations) -> Array:
        return like(self.at_logits(self.aim.logits(activations))[0], activations[self.aim.layer])

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self.value_and_cotangents(activations)[1]

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        values, slope = self.at_logits(self.aim.logits(activations))
        cotangent = self.aim.cotangent(activations, slope, scaled=self.scaled)
        return like(values, activations[self.aim.layer]), {self.aim.layer: cotangent}

    def select(self, start: int, stop: int) -> "AttackLoss":
        return self.rows(slice(start, stop))

    def rows(self, rows: Values | slice) -> "AttackLoss":
        """The same loss of these images."""
        return replace(self, aim=self.aim.rows(rows))


class CrossEntropy(AttackLoss):
    """log sum_k exp(z_k) - z_y, the surprise at the class to leave; less that at t where one is to be reached.

    Its gradient at z is p - onehot(y), with p_y - 1 written as minus the sum of the other probabilities.
    """

    def at_logits(self, logits: Values) -> tuple[Values, Values]:
        wanted = self.aim.wanted
        column = self.aim.own if wanted is None else wanted
        own = np.take_along_axis(logits, column[:, None], axis=1)
        others = np.where(_one_hot(column, logits), -np.inf, logits)
        top = others.max(axis=1, keepdims=True)
        share = np.exp(others - top)
        sum_of_others = share.sum(axis=1, keepdims=True)
        log_odds = top + np.log(sum_of_others) - own
        odds = 1.0 if self.scaled else 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
        slope = (share / sum_of_others - _one_hot(column, logits)) * odds
        sign = 1.0 if wanted is None else -1.0
        with np.errstate(invalid="ignore"):  # of NaN
            return sign * np.logaddexp(0, log_odds)[:, 0], sign * slope

    def __str__(self) -> str:
        return f"cross-entropy({', '.join(self.aim.texts()[:3])})"


class Margin(AttackLoss):
    """max_{k != y} z_k - z_y (Carlini and Wagner, 2017); z_t - max_{k != t} z_k where t is to be reached.

    Above 0 where the attack has succeeded; its size there is the confidence that the paper's kappa asks for.
    """

    def at_logits(self, logits: Values) -> tuple[Values, Values]:
        losses = -margins(self.aim, logits)
        wanted = self.aim.wanted
        column = self.aim.own if wanted is None else wanted
        best = np.where(_one_hot(column, logits), -np.inf, logits).argmax(axis=1)
        slope = _one_hot(best, logits).astype(float) - _one_hot(column, logits)
        return losses, slope if wanted is None else -slope

    def __str__(self) -> str:
        return f"margin({', '.join(self.aim.texts()[:3])})"


class DifferenceOfLogitsRatio(AttackLoss):
    """-(z_y - max_{k != y} z_k) / (z_(1) - z_(3)), z_(i) the i-th largest logit (Croce and Hein, 2020, eq. 6 and 7).

    Where t is to be reached, -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2). No scale of the logits changes it.

    Raises:
        TargetError: fewer than three classes, four where one is to be reached.
    """

    def at_logits(self, logits: Values) -> tuple[Values, Values]:
        aim, count = self.aim, 3 if self.aim.wanted is None else 4
        if logits.shape[1] < count:
            raise TargetError(
                f"the difference of logits ratio compares {count} classes"
                f"{' where one is to be reached' * (count == 4)}, and this attack is about {logits.shape[1]}; "
                "give loss='cross_entropy' or loss='margin'"
            )
        order = np.argsort(-logits, axis=1, kind="stable")[:, :count]
        first = _one_hot(order[:, 0], logits).astype(float)
        rest = sum(_one_hot(order[:, n], logits).astype(float) for n in range(2, count)) / (count - 2)
        other = _best_other(aim.own, logits) if aim.wanted is None else aim.wanted
        above = _one_hot(aim.own, logits).astype(float) - _one_hot(other, logits)
        numerator, denominator = (logits * above).sum(axis=1), (logits * (first - rest)).sum(axis=1)
        d = np.maximum(denominator, 1e-12)
        slope = -(above / d[:, None] - (numerator / d**2)[:, None] * (first - rest))
        return -numerator / d, slope

    def __str__(self) -> str:
        return f"difference of logits ratio({', '.join(self.aim.texts()[:3])})"


def margins(aim: Aim, logits: Values) -> Values:
    """(N,): by how much the class to leave, or any but the one to reach, is ahead; 0 or less where it is not."""
    if aim.wanted is None:
        own, other = aim.own, _best_other(aim.own, logits)
    else:
        own, other = _best_other(aim.wanted, logits), aim.wanted
    rows = np.arange(len(logits))
    return np.asarray(logits[rows, own] - logits[rows, other])


def rounding(logits: Values) -> Values:
    """(N,): the margins at logits (N, K) whose sign the batch, the framework or a probability's last bit may change."""
    return np.asarray(_ROUNDING * np.maximum(np.abs(logits).max(axis=1), 1.0))


def _best_other(column: Values, logits: Values) -> Values:
    return np.asarray(np.where(_one_hot(column, logits), -np.inf, logits).argmax(axis=1))


def _one_hot(column: Values, logits: Values) -> Values:
    return np.asarray(np.arange(logits.shape[1])[None, :] == column[:, None])


LOSSES: Mapping[str, type[AttackLoss]] = {
    "cross_entropy": CrossEntropy,
    "margin": Margin,
    "dlr": DifferenceOfLogitsRatio,
}
"""The losses by the names that methods' parameters have."""
