"""What `class_statistics` gathers: features by label, and predictions by label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Batch, State, Statistic
from crosslens.data.features import Features
from crosslens.errors import ModelError, ParameterError
from crosslens.model import OUTPUT, Reduction

from ._class_labels import is_text

__all__ = ["ClassSums", "Predictions"]

Numbers = np.ndarray[Any, Any]
MOST_BYTES = 2**30
"""Of the numbers of all classes."""


def batch_labels(batch: Batch) -> tuple[Numbers, Numbers]:
    """The label of each image, "" for none; and which can be read, as bytes that are no text cannot."""
    given = [record.get("label") for record in batch.samples.records]
    labels = ["" if label is None else str(label) for label in given]
    return np.array(labels), np.array([is_text(label) for label in labels])


def united(first: State, second: State) -> tuple[Numbers, dict[str, Numbers], dict[str, Numbers]]:
    """The labels of two states, sorted; what has a row for each label, of both, in that order, 0 if absent."""
    labels = np.union1d(first["label"], second["label"])
    placed: tuple[dict[str, Numbers], dict[str, Numbers]] = {}, {}
    for state, found in zip((first, second), placed, strict=True):
        rows = np.searchsorted(labels, state["label"])
        for name in state.keys() - {"label"}:
            shape = np.shape(state[name])
            if shape:
                found[name] = np.zeros((len(labels), *shape[1:]), state[name].dtype)
                found[name][rows] = state[name]
    return labels, *placed


@dataclass(frozen=True)
class ClassSums(Statistic):
    """Of each label the images, the sum of their features and the scatter: squares of what they are off their mean.

    In float64, of features in float32. A scatter merges by Chan et al. (1979), so that of equal values it is 0 exactly.
    """

    features: Features

    @property
    def layers(self) -> frozenset[str]:
        return self.features.layers

    @property
    def reductions(self) -> frozenset[Reduction]:
        return self.features.reductions

    def empty(self) -> State:
        """No labels; "unlabelled" and "unreadable" count images that have none."""
        none, zero = np.zeros((0, self.features.width)), np.int64(0)
        return {"label": np.zeros(0, "U1"), "images": np.zeros(0, np.int64), "sum": none, "scatter": none,
                "unlabelled": zero, "unreadable": zero}  # fmt: skip

    def add(self, state: State, batch: Batch) -> State:
        rows = as_numpy(self.features.rows(batch)).astype(np.float32).astype(np.float64)
        labels, readable = batch_labels(batch)
        known = readable & (labels != "")
        names, which = np.unique(labels[known], return_inverse=True)
        each = [rows[known][which == n] for n in range(len(names))]
        shape = (len(names), self.features.width)
        added = {
            "label": names,
            "images": np.array([len(own) for own in each], np.int64),
            "sum": np.reshape([own.sum(axis=0) for own in each], shape),
            "scatter": np.reshape([np.square(own - own.sum(axis=0) / len(own)).sum(axis=0) for own in each], shape),
            "unlabelled": np.int64((labels == "").sum()),
            "unreadable": np.int64((~readable).sum()),
        }
        return self.merge(state, added)

    def merge(self, first: State, second: State) -> State:
        labels, a, b = united(first, second)
        if (size := 2 * 8 * len(labels) * self.features.width) > MOST_BYTES:
            raise ParameterError(
                f"{len(labels)} classes or more with {self.features.width} numbers each take over {size >> 20} MiB; "
                "pool by mean, or take a layer with fewer units or a part of the classes"
            )
        images = a["images"] + b["images"]
        means = [each["sum"] / np.maximum(each["images"], 1)[:, None] for each in (a, b)]
        weight = a["images"] * b["images"] / np.maximum(images, 1)
        apart = weight[:, None] * np.square(means[0] - means[1])
        return {
            "label": labels,
            "images": images,
            "sum": a["sum"] + b["sum"],
            "scatter": a["scatter"] + b["scatter"] + apart,
            **{name: first[name] + second[name] for name in ("unlabelled", "unreadable")},
        }


@dataclass(frozen=True)
class Predictions(Statistic):
    """How many images with each label are predicted to be of each class, (labels, classes), whole numbers."""

    any_grouping = True
    classes: int
    threshold: float | None = None
    """Of the one number of two classes: above it, it is class 1. None: the class with the largest output."""

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({OUTPUT})

    def empty(self) -> State:
        return {"label": np.zeros(0, "U1"), "predicted": np.zeros((0, self.classes), np.int64)}

    def add(self, state: State, batch: Batch) -> State:
        output = as_numpy(batch.activations[OUTPUT]).reshape(len(batch), -1)
        if (wrong := np.isnan(output).any(axis=1)).any():
            image = batch.samples.ids[int(wrong.argmax())]
            raise ModelError(f"the network's output is NaN for image {image!r}; look at its weights and at preprocess=")
        classes = output.argmax(axis=1) if self.threshold is None else (output[:, 0] > self.threshold).astype(int)
        labels, readable = batch_labels(batch)
        known = readable & (labels != "")
        names, which = np.unique(labels[known], return_inverse=True)
        counts = np.zeros((len(names), self.classes), np.int64)
        np.add.at(counts, (which, classes[known]), 1)
        return self.merge(state, {"label": names, "predicted": counts})

    def merge(self, first: State, second: State) -> State:
        labels, a, b = united(first, second)
        if (size := 8 * len(labels) * self.classes) > MOST_BYTES:
            raise ParameterError(
                f"{len(labels)} labels or more by {self.classes} classes take over {size >> 20} MiB; take some of them"
            )
        return {"label": labels, "predicted": a["predicted"] + b["predicted"]}
