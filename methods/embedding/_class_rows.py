"""What `class_statistics` makes of its sums: classes in order, likeness beside confusion, the units of a pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.classes.class_names import in_order, matching_notes, shown_names, some
from crosslens.classes.class_statistics import ClassStatistics
from crosslens.classes.discrimination import ClassMeans
from crosslens.classes.likeness import SIMILARITIES, agreement, alike_order, confusion_rates
from crosslens.data import State
from crosslens.errors import ModelError
from crosslens.model import Model
from crosslens.result.display import counted

from ._class_labels import model_names, too_few_classes

__all__ = ["DataClasses"]

Numbers = np.ndarray[Any, Any]
FEW = 10
"""Images of a class below which its numbers are uncertain."""


@dataclass(frozen=True)
class DataClasses:
    """The classes of a data set: sums of each, in the order of their labels, and the model's class for each."""

    labels: tuple[str, ...]
    means: ClassMeans
    numbers: tuple[int, ...]
    """The model's class of each label, -1 for none."""
    names: tuple[str, ...]
    """The model's name of each, "" for none."""
    classes: int
    """Of the model."""
    unlabelled: int
    unreadable: int

    @classmethod
    def of(cls, model: Model, layer: str, state: State, data: str) -> "DataClasses":
        """From the state of `ClassSums`.

        Raises:
            ImageError: there are fewer than two classes.
            ModelError: some features are not finite.
        """
        given = np.asarray(state["label"]).tolist()
        if len(given) < 2:
            images = int(np.asarray(state["images"]).sum())
            raise too_few_classes(data, given, images, int(state["unlabelled"]), int(state["unreadable"]))
        if not (np.isfinite(state["sum"]).all() and np.isfinite(state["scatter"]).all()):
            raise ModelError(f"layer {layer!r} gives NaN or infinite values for some images; look at its weights")
        order = sorted(range(len(given)), key=lambda n: in_order(given[n]))
        labels, counts = tuple(given[n] for n in order), np.asarray(state["images"])[order]
        each = counts[:, None].astype(np.float64)
        means = ClassMeans(counts, state["sum"][order] / each, state["scatter"][order] / each)
        numbers, names, classes = model_names(model, labels)
        return cls(labels, means, numbers, names, classes, *(int(state[name]) for name in ("unlabelled", "unreadable")))

    def result(self, metric: str, state: State | None, why_none: str) -> ClassStatistics:
        """All classes.

        Args:
            metric: one of `SIMILARITIES`.
            state: of `Predictions`; None where there are none.
            why_none: the reason then.
        """
        means, counts = as_numpy(self.means.means), as_numpy(self.means.counts)
        similarity = SIMILARITIES[metric](means)
        confusion = others = None
        agreements: Mapping[str, float] = {}
        known = np.asarray(self.numbers) >= 0
        if state is not None and not known.any():
            why_none = (
                f"none of the labels, {some(self.labels)}, is alone the name or the number of a class of the network"
            )
        elif state is not None:
            predicted = state["predicted"][np.searchsorted(state["label"], np.asarray(self.labels))]
            confusion = np.where(known, predicted[:, np.where(known, self.numbers, 0)], 0)
            others = predicted.sum(axis=1) - confusion.sum(axis=1)
            agreements = agreement(similarity, confusion_rates(confusion, counts), known)
        return ClassStatistics(
            self._columns(similarity, confusion, others),
            labels=self.labels,
            names=shown_names(self.labels, self.names),
            counts=counts,
            means=means,
            variances=as_numpy(self.means.variances),
            similarity=similarity,
            metric=metric,
            order=alike_order(similarity),
            class_numbers=np.asarray(self.numbers),
            confusion=confusion,
            other_predictions=others,
            agreements=agreements,
            notes=(*self._notes(metric), *([f"no confusion matrix: {why_none}"] if confusion is None else [])),
        )

    def _columns(self, similarity: Numbers, confusion: Numbers | None, others: Numbers | None) -> dict[str, Numbers]:
        count, labels = len(self.labels), np.asarray(self.labels)
        own = np.eye(count, dtype=bool)
        alike = np.where(own, -np.inf, similarity)
        nearest, each = alike.argmax(axis=1), np.arange(count)
        columns = {"class": labels, "images": as_numpy(self.means.counts), "nearest": labels[nearest],
                   "similarity": similarity[each, nearest]}  # fmt: skip
        if confusion is not None and others is not None:
            rates = confusion_rates(confusion, as_numpy(self.means.counts))
            columns["accuracy"] = np.where(np.asarray(self.numbers) >= 0, np.diagonal(rates), np.nan)
            wrong = np.where(own, 0.0, rates)
            columns["confused_with"] = np.where(wrong.any(axis=1), labels[wrong.argmax(axis=1)], "")
            columns["confused"] = wrong.max(axis=1)
            columns["other_classes"] = others / as_numpy(self.means.counts)
        against = self.means.against_rest()
        columns |= {"unit": against.argmax(axis=1), "d_prime": against.max(axis=1)}
        return {**columns, "mean": as_numpy(self.means.means), "deviation": np.sqrt(as_numpy(self.means.variances))}

    def _notes(self, metric: str) -> tuple[str, ...]:
        counts = as_numpy(self.means.counts)
        few = [label for label, n in zip(self.labels, counts, strict=True) if n < FEW]
        return (
            *self.label_notes(),
            *_if(few, f"uncertain with fewer than {FEW} images: {len(few)} of {len(counts)} classes, {some(few)}"),
            *matching_notes(self.labels, self.numbers, self.names, self.classes),
            *_if(
                len(counts) == 2 and metric == "cosine", "of two classes centred means are opposite: their cosine is -1"
            ),
        )

    def label_notes(self) -> tuple[str, ...]:
        """On images that belong to no class."""
        return (
            *_if(self.unlabelled, f"{counted(self.unlabelled, 'image')} without a label left out"),
            *_if(self.unreadable, f"{counted(self.unreadable, 'image')} with a label that is no text left out"),
        )


def _if(told: Any, note: str) -> tuple[str, ...]:
    return (note,) if told else ()
