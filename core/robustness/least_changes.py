"""The least change by which each attack fools a network about each image: what a robustness curve is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..attack import AttackMethod, Problem
from ..attack.ball import take_rows
from ..attack.projection import distance_of
from ..data import Batch, Quantity, Samples
from ..data.rows import Rows
from ..execution.notices import withhold
from ..execution.progress import silent
from ..method.sanity import refuse_nonfinite_target
from ..method.unit_range import synthesis_view
from ..model.base import Model
from ..objective import Objective
from ..objective.target import resolve_target
from .attack_words import has
from .label_classes import label_classes

__all__ = ["LeastChanges", "RowsOfLeastChanges", "found_of"]

Values = np.ndarray[Any, Any]
_OF_IMAGE = 3
"""Numbers of an image before those of the attacks: the class to keep, the predicted one, whether it has a label."""
_OF_ATTACK = 4
"""Numbers of each attack: the least change that fools, infinite for none; queries; gradients; zero gradients."""
ROUNDING = 1e-5
"""By which share of a radius a picture of the L1 or L2 ball may lie outside by rounding."""


@dataclass(frozen=True)
class LeastChanges(Quantity):
    """For each image, (3 + 4 A): the numbers of `_OF_IMAGE`, and those of `_OF_ATTACK` for each of A attacks.

    The radii are tried in increasing order, and an image that an attack has fooled is done for that attack: its picture
    lies in all larger balls. An attack without a radius looks for the nearest picture at once.
    """

    attacks: tuple[AttackMethod, ...]
    eps: tuple[float, ...]
    """Increasing, in the unit of images in [0, 1]."""
    norm: str
    against: str

    def compute(self, model: Model, samples: Samples) -> Array:
        """(N, 3 + 4 A), float64.

        Raises:
            TargetError: an image has no label that is a class of the network, and `against` is "label".
        """
        view, images = synthesis_view(model, samples.images)
        with withhold():
            first = self.attacks[0]
            clean = first.problem(view, images, resolve_target(None, view, len(samples.ids)))
            refuse_nonfinite_target("an attack", clean.clean.max(axis=1))
            predicted = clean.aim.leave
            labels = label_classes(model, samples.ids, samples.records, self.against)
            keep = np.where(labels >= 0, labels, predicted)
            wrong = np.isfinite(first.problem(view, images, _classes(keep, view)).distance)
            found = [self._least(attack, view, images, keep, wrong) for attack in self.attacks]
        return np.concatenate([np.stack([keep, predicted, labels >= 0], axis=1), *found], axis=1).astype(np.float64)

    def _least(self, attack: AttackMethod, view: Model, images: Array, keep: Values, wrong: Values) -> Values:
        """(N, 4): what one attack found."""
        found = np.zeros((len(keep), _OF_ATTACK))
        found[:, 0] = np.where(wrong, 0.0, np.inf)
        for radius in [each for each in self.eps if each] if has(attack, "eps") else [None]:
            rows = np.flatnonzero(~np.isfinite(found[:, 0]))
            if not len(rows):
                break
            tried = attack if radius is None else replace(attack, eps=radius)  # type: ignore[call-arg]
            problem = tried.problem(view, take_rows(images, rows), _classes(keep[rows], view))
            tried.search(problem, silent)
            found[rows, 0] = self._distances(problem, radius)
            found[rows, 1] += problem.queries
            found[rows, 2] += problem.gradients
            found[rows, 3] += problem.flat
        return found

    def _distances(self, problem: Problem, radius: float | None) -> Values:
        """(n,): of the pictures that fool; infinite for none. What rounding carried out of the ball is on its edge."""
        distance = distance_of(problem.best, problem.images, self.norm)
        if radius is not None:
            distance = np.where(distance <= radius * (1 + ROUNDING), np.minimum(distance, radius), np.inf)
        return np.where(np.isfinite(problem.distance), distance, np.inf)


def _classes(keep: Values, view: Model) -> Objective:
    return resolve_target([int(each) for each in keep], view, len(keep))


@dataclass(frozen=True)
class RowsOfLeastChanges(Rows):
    """`LeastChanges` of each image of a source."""

    changes: LeastChanges
    dtype: ClassVar[Any] = np.float64

    @property
    def shape(self) -> Sequence[int]:
        return (_OF_IMAGE + _OF_ATTACK * len(self.changes.attacks),)

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self.changes})

    def rows(self, batch: Batch) -> Array:
        return batch.quantities[self.changes]


def found_of(rows: Values) -> Mapping[str, Values]:
    """The numbers by name: `keep`, `predicted`, `labelled` (N,), and `least`, `queries`, `gradients`, `flat` (A, N)."""
    of_image = rows[:, :_OF_IMAGE]
    of_attacks = rows[:, _OF_IMAGE:].reshape(len(rows), -1, _OF_ATTACK).transpose(2, 1, 0)
    names = ("least", "queries", "gradients", "flat")
    return {
        "keep": of_image[:, 0].astype(np.int64),
        "predicted": of_image[:, 1].astype(np.int64),
        "labelled": of_image[:, 2] > 0,
        "least": of_attacks[0],
        **{name: of_attacks[n + 1].astype(np.int64) for n, name in enumerate(names[1:])},
    }
