"""Promises about data-set methods: one that keeps them, and others that each break one on purpose."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from crosslens import DatasetMethod, Statistic, Table, param, testing
from crosslens.data import Rows
from crosslens.errors import ModelError
from crosslens.introspection import unit_layers
from crosslens.model import Reduction


@dataclass(frozen=True)
class Largest(Statistic):
    """The largest value of each unit, and the place of its image in the source."""

    layer: str
    any_grouping = True

    @property
    def reductions(self):
        return frozenset({Reduction(self.layer, "max")})

    def empty(self):
        return {"largest": np.float32(-np.inf), "image": np.int64(-1)}

    def places(self, state, batch):
        return np.asarray(batch.samples.indices)

    def add(self, state, batch):
        maxima = batch.reduced[Reduction(self.layer, "max")]
        image = self.places(state, batch)[maxima.argmax(axis=0)]
        return self.merge(state, {"largest": maxima.max(axis=0), "image": image})

    def merge(self, first, second):
        later = second["largest"] > first["largest"]
        largest = np.maximum(first["largest"], second["largest"])
        return {"largest": largest, "image": np.where(later, second["image"], first["image"])}


@dataclass(frozen=True, kw_only=True)
class Keeps(DatasetMethod):
    """The largest value of each unit."""

    name = "keeps"
    example: ClassVar = {"layer": "conv2"}
    statistic: ClassVar = Largest
    layer: str = param(doc="layer")

    def statistics(self, model, source, gathered=None):
        return [type(self).statistic(*unit_layers(model, [self.layer]))]

    def finish(self, model, source, gathered, progress):
        (state,) = gathered.values()
        if np.isnan(state["largest"]).any():
            raise ModelError("NaN")
        return Table(dict(state))


class Counting(Largest):
    """It counts images as they come, in place of reading their places."""

    def empty(self):
        return {**super().empty(), "seen": np.int64(0)}

    def places(self, state, batch):
        return state["seen"] + np.arange(len(batch))

    def add(self, state, batch):
        return {**super().add(state, batch), "seen": state["seen"] + len(batch)}

    def merge(self, first, second):
        return {**super().merge(first, second), "seen": first.get("seen", 0) + second.get("seen", 0)}


class Remembering(Largest):
    """It keeps to itself what it has seen."""

    seen: ClassVar = []

    def places(self, state, batch):
        self.seen.append(len(batch))
        return np.asarray(batch.samples.indices) + len(self.seen)


class Objects(Largest):
    """Its state needs pickle."""

    def merge(self, first, second):
        merged = super().merge(first, second)
        return {**merged, "image": merged["image"].astype(object)}


class Particular(Largest):
    """It takes a number of NumPy for one, and an array of no axes, which is what a file holds, for none."""

    def merge(self, first, second):
        if any(isinstance(each["largest"], np.ndarray) and not each["largest"].ndim for each in (first, second)):
            return first
        return super().merge(first, second)


class Unpicklable(Largest):
    """It refuses to travel."""

    def __reduce__(self):
        raise TypeError("cannot be pickled")


@dataclass(frozen=True, kw_only=True)
class StaysHere(Keeps):
    """Its statistic refuses to travel."""

    statistic: ClassVar = Unpicklable


class MapsOnly(Largest):
    """It presumes that every layer has maps."""

    @property
    def layers(self):
        return frozenset({self.layer})

    def add(self, state, batch):
        maps = batch.activations[self.layer]
        return {**super().add(state, batch), "largest": np.maximum(state["largest"], maps.max(axis=(0, 2, 3)))}


@dataclass(frozen=True)
class Means(Rows):
    """The mean of each image's channels."""

    layer: str

    @property
    def shape(self):
        return (3,)

    def rows(self, batch):
        return batch.samples.images.mean(axis=(2, 3))


class Displaced(Means):
    """Its rows are counted, whatever images were read."""

    def add(self, state, batch):
        added = super().add(state, batch)
        return {**added, "index": np.arange(len(added["index"]))}


@dataclass(frozen=True, kw_only=True)
class KeepsRows(Keeps):
    """A row for each image."""

    statistic: ClassVar = Means

    def finish(self, model, source, gathered, progress):
        (state,) = gathered.values()
        return Table({"image": state["index"], "mean": state["rows"].mean(axis=1)})


@dataclass(frozen=True, kw_only=True)
class LetsNaNPass(Keeps):
    """It does not look at what was gathered."""

    def finish(self, model, source, gathered, progress):
        (state,) = gathered.values()
        return Table(dict(state))


@dataclass(frozen=True, kw_only=True)
class FinishesInMemory(Keeps):
    """Its result depends on whether a state came from a file."""

    def finish(self, model, source, gathered, progress):
        (state,) = gathered.values()
        fresh = state["largest"].flags.owndata
        return Table({"largest": state["largest"] + fresh, "image": state["image"]})


def with_statistic(kind, base=Keeps):
    return dataclass(frozen=True, kw_only=True)(type(f"{base.__name__}{kind.__name__}", (base,), {"statistic": kind}))


BROKEN = [
    ("shards_run_in_any_order", with_statistic(Remembering)),
    ("failures_change_nothing_else", with_statistic(Counting)),
    ("states_are_resumed", with_statistic(Objects)),
    ("states_are_resumed", with_statistic(Particular)),
    ("results_come_from_saved_states", FinishesInMemory),
    ("method_and_statistics_can_be_pickled", StaysHere),
    ("rows_have_places", with_statistic(Displaced, KeepsRows)),
    ("nan_is_refused", LetsNaNPass),
    ("layers_of_every_kind", with_statistic(MapsOnly)),
]
NEW = sorted({name for name, _ in BROKEN})


def keep(name, method):
    testing.promises_about(DatasetMethod)[name](method(layer="conv2"))


@pytest.mark.parametrize("name", NEW)
def test_a_method_that_keeps_a_promise_passes(name):
    keep(name, KeepsRows if "rows" in name else Keeps)


@pytest.mark.parametrize(("name", "method"), BROKEN)
def test_a_method_that_breaks_a_promise_is_told(name, method):
    with pytest.raises((AssertionError, ValueError, TypeError)):
        keep(name, method)


def test_one_without_rows_is_not_asked_for_their_places():
    with pytest.raises(testing.Unsuited, match="keeps no row for each image"):
        keep("rows_have_places", Keeps)
