"""Sweeps: shards and rounds, one forward pass per image and round, states merged in the order of the shards."""

from dataclasses import dataclass

import numpy as np
import pytest
from crosslens import testing
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, ShardResult, Statistic, replay, run_shard, shards, sweep
from crosslens.data.keeper import fold
from crosslens.errors import ImageError

IMAGES = np.random.default_rng(0).random((11, 3, 8, 8), dtype=np.float32)


class Counting(testing.TinyModel):
    """Counts the images that go through it once the probe of `repeatability` is over."""

    def _forward(self, x, capture, replace):
        self.seen = [*getattr(self, "seen", []), (len(x), capture)]
        return super()._forward(x, capture, replace)


@dataclass(frozen=True)
class Ids(Statistic):
    """The ids in the order in which they came, and the largest activation so far."""

    layer: str = "conv1"
    any_grouping = True

    @property
    def layers(self):
        return frozenset({self.layer})

    def empty(self):
        return {"ids": np.zeros(0, np.int64), "largest": np.full((), -np.inf)}

    def add(self, state, batch):
        ids = np.array([int(name) for name in batch.samples.ids])
        return self.merge(state, {"ids": ids, "largest": np.asarray(as_numpy(batch.activations[self.layer]).max())})

    def merge(self, first, second):
        ids = np.concatenate([first["ids"], second["ids"]])
        return {"ids": ids, "largest": np.maximum(first["largest"], second["largest"])}


@dataclass(frozen=True)
class Above(Ids):
    """Needs a threshold that another statistic gives."""

    threshold: float = 0.0


class Once:
    def __init__(self, layer="conv1"):
        self.layer = layer

    def statistics(self, model, source, gathered=None):
        return [Ids(self.layer)]


class Twice:
    """A threshold first, then what depends on it."""

    def statistics(self, model, source, gathered=None):
        if gathered is None:
            return [Ids()]
        return [Ids(), Above(threshold=float(gathered[Ids()]["largest"]))]


def counting(batch_size=4):
    model = Counting()
    model.batch_size = batch_size
    model.forward(IMAGES[:1])
    from crosslens.model.repeatability import repeatability

    repeatability(model)
    model.seen = []
    return model


def test_each_image_goes_through_the_model_once_for_all_that_is_asked():
    model = counting()
    gathered = sweep(model, ArraySource(IMAGES), [Once("conv1"), Once("fc"), Once("conv1")])
    assert [count for count, _ in model.seen] == [4, 4, 3]
    assert {capture for _, capture in model.seen} == {("conv1", "fc")}
    assert set(gathered.states) == {Ids("conv1"), Ids("fc")}
    np.testing.assert_array_equal(gathered.states[Ids("fc")]["ids"], np.arange(11))


def test_a_second_round_knows_what_the_first_gathered():
    model = counting()
    gathered = sweep(model, ArraySource(IMAGES), [Twice()])
    largest = testing.TinyModel().forward(IMAGES, ["conv1"])["conv1"].max()
    assert [each.threshold for each in gathered.states if isinstance(each, Above)] == [pytest.approx(largest)]
    assert sum(count for count, _ in model.seen) == 2 * len(IMAGES)


def test_a_method_sees_the_states_of_its_own_statistics_only():
    seen = []

    class Watching(Twice):
        def statistics(self, model, source, gathered=None):
            seen.append(None if gathered is None else list(gathered))
            return super().statistics(model, source, gathered)

    gathered = sweep(counting(), ArraySource(IMAGES), [Once("fc"), Watching()])
    own, missing = replay(Twice(), counting(), ArraySource(IMAGES), gathered.states)
    assert seen[:2] == [None, None]
    assert all(Ids("fc") not in states for states in seen if states)
    assert not missing
    assert [type(each) for each in own] == [Ids, Above]
    assert replay(Twice(), counting(), ArraySource(IMAGES), {}) == ({}, [Ids()])


def test_who_asks_for_nothing_costs_no_pass():
    class Nothing:
        def statistics(self, model, source, gathered=None):
            return []

    model = counting()
    assert sweep(model, ArraySource(IMAGES), [Nothing()]).states == {}
    assert model.seen == []


def test_shards_and_micro_batches_depend_on_the_length_alone():
    (first, last) = shards(11, 6)
    assert [*first.micro_batches(4), *last.micro_batches(4)] == [(0, 4), (4, 6), (6, 10), (10, 11)]


def test_states_of_shards_merge_in_the_order_of_the_shards():
    parts = [run_shard(counting(), ArraySource(IMAGES), [Ids()], shard) for shard in shards(len(IMAGES), 3)]
    np.testing.assert_array_equal(fold([Ids()], parts).states[Ids()]["ids"], np.arange(11))
    assert [type(part) for part in parts] == [ShardResult] * 4


def test_failures_are_left_out_and_listed():
    images = IMAGES.copy()
    images[5, 0, 0, 0] = np.nan
    gathered = sweep(counting(), ArraySource(images), [Once()])
    np.testing.assert_array_equal(gathered.states[Ids()]["ids"], [0, 1, 2, 3, 4, 6, 7, 8, 9, 10])
    assert [each.id for each in gathered.failures] == ["5"]
    assert gathered.images == 10


def test_nothing_to_read_is_an_error_with_the_first_reason():
    with pytest.raises(ImageError, match=r"none of the 2 images of .* can be read; the first, 0: images hold NaN"):
        sweep(counting(), ArraySource(np.full((2, 3, 8, 8), np.nan, np.float32)), [Once()])


def test_images_that_change_between_rounds_are_an_error():
    images = IMAGES.copy()

    class Spoiling(Twice):
        def statistics(self, model, source, gathered=None):
            if gathered is not None:
                images[3, 0, 0, 0] = np.nan
            return super().statistics(model, source, gathered)

    with pytest.raises(ImageError, match="changed during the sweep: round 2 read other images"):
        sweep(counting(), ArraySource(images), [Spoiling()])


def test_progress_counts_the_images_of_a_round():
    said = []
    sweep(counting(), ArraySource(IMAGES), [Twice()], lambda *step: said.append(step))
    assert said == [(done, 11, f"round {number}") for number in (1, 2) for done in (4, 8, 11)]
