"""Two classes, or one and all others: which units tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.classes.class_names import chosen_classes
from crosslens.classes.class_units import REST, ClassUnits
from crosslens.classes.discrimination import ClassMeans, area_under_curve, d_prime
from crosslens.data import Batch, Rows, State
from crosslens.data.features import Features
from crosslens.model import Reduction

from ._class_rows import DataClasses

__all__ = ["ClassPair", "UnitValues"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ClassPair:
    """Both sides of a comparison, a row of `means` each, and d' of every unit."""

    labels: tuple[str, ...]
    """One, or two."""
    means: ClassMeans
    """The first class, then the second one or all others."""

    @classmethod
    def of(cls, classes: DataClasses, asked: Sequence[str]) -> "ClassPair":
        """The one that was asked for.

        Raises:
            ParameterError: the data have no such class.
        """
        places = chosen_classes(asked, classes.labels, classes.names)
        labels, every = tuple(classes.labels[n] for n in places), classes.means
        sides = [(every, places[0]), (every, places[1]) if len(places) == 2 else (every.rest(), places[0])]
        rows = [
            np.stack([as_numpy(getattr(of, name))[n] for of, n in sides]) for name in ("counts", "means", "variances")
        ]
        return cls(labels, ClassMeans(*rows))

    def d_primes(self) -> Numbers:
        """(K,), above 0 where the first class has the larger mean."""
        (first, second), (own, other) = as_numpy(self.means.means), as_numpy(self.means.variances)
        return d_prime(first, own, second, other)

    def order(self) -> Numbers:
        """The units, the largest magnitude of d' first; of equal ones the lower number."""
        return np.argsort(-np.abs(self.d_primes()), kind="stable")

    def best(self, count: int) -> tuple[int, ...]:
        """The first `count` units of the order."""
        return tuple(self.order()[:count].tolist())

    def result(self, values: State, marks: State, notes: tuple[str, ...]) -> ClassUnits:
        """The table.

        Args:
            values: of `UnitValues` of the best units.
            marks: of `ImageLabels`.
            notes: on the data.
        """
        labels, rows = np.asarray(marks["label"]), values["rows"][marks["index"]]
        first = labels == self.labels[0]
        second = labels == self.labels[1] if len(self.labels) == 2 else ~first & (labels != "")
        order, d_primes = self.order(), self.d_primes()
        auc = np.full(len(order), np.nan)
        auc[: rows.shape[1]] = area_under_curve(rows[first], rows[second])
        names = (*self.labels, REST)[:2]
        (mean, other), deviations = as_numpy(self.means.means)[:, order], np.sqrt(as_numpy(self.means.variances))
        columns = {
            "unit": order,
            "d_prime": d_primes[order],
            "auc": auc,
            "stands_for": np.where(mean == other, "", np.where(mean > other, *names)),
            "mean": mean,
            "other_mean": other,
            "deviation": deviations[0, order],
            "other_deviation": deviations[1, order],
        }
        counts = as_numpy(self.means.counts).tolist()
        return ClassUnits(
            columns, pair=(names[0], names[1]), counts=(counts[0], counts[1]), ranked=rows.shape[1], notes=notes
        )


@dataclass(frozen=True)
class UnitValues(Rows):
    """The features of a few units for each image."""

    features: Features
    units: tuple[int, ...]

    @property
    def shape(self) -> Sequence[int]:
        return (len(self.units),)

    @property
    def layers(self) -> frozenset[str]:
        return self.features.layers

    @property
    def reductions(self) -> frozenset[Reduction]:
        return self.features.reductions

    def rows(self, batch: Batch) -> Array:
        return as_numpy(self.features.rows(batch))[:, list(self.units)]
