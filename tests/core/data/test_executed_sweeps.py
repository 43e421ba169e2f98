"""Sweeps by executors: states are the same bytes whoever computes the shards, in whatever order they come."""

import random
import threading

import numpy as np
import pytest
from crosslens import testing
from crosslens.data import SHARD, ArraySource, ShardJob, Source, run_shard, shards, sweep
from crosslens.data.keeper import InMemory, fold
from crosslens.errors import ImageError
from crosslens.execution.batching import forward_limit
from crosslens.execution.executor import Local
from crosslens.execution.processes import Processes
from crosslens.execution.processor import instruction_set
from crosslens.methods.dataset.mean_activation import ActivationSum

from tests.conformance.plans import SHAPE, plan

IMAGES = np.random.default_rng(0).random((20, *SHAPE), dtype=np.float32)
SIX = 6


def torch_model():
    import crosslens
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return crosslens.wrap(nn.Sequential(*layers).eval(), preprocess=None, input_shape=SHAPE)


def onnx_model():
    import crosslens

    from tests.zoo.onnx import build

    return crosslens.wrap(build(plan("smooth"), SHAPE), preprocess=None)


MODELS = pytest.mark.parametrize("build", [torch_model, onnx_model], ids=["torch", "onnx"])


def job_of(model, threads=1):
    model.batch_size = 4
    maps = [name for name, layer in model.layers.items() if len(layer.shape) == 4]
    return ShardJob(model, ArraySource(IMAGES), tuple(ActivationSum(name) for name in maps), threads)


def content(gathered):
    return [
        (name, np.asarray(value).dtype.str, np.asarray(value).tobytes())
        for state in gathered.states.values()
        for name, value in state.items()
    ]


def by(executor, job, seed=0):
    """The folded states, the shards given out in a random order."""
    several = shards(len(IMAGES), SIX)
    results = [result for _, result in executor.run(job, random.Random(seed).sample(several, len(several)))]
    assert {each.threads for each in results} == {1}
    assert {each.processor for each in results} == {instruction_set()}
    return content(fold(job.statistics, results))


@MODELS
def test_states_are_the_same_bytes_here_and_in_two_processes_whatever_the_order(build):
    job = job_of(build())
    here = [by(Local(), job, seed) for seed in range(3)]
    assert here[0]
    assert here == [here[0]] * 3
    assert by(Processes(2), job) == here[0]


class Sums:
    def statistics(self, model, source, gathered=None):
        return [ActivationSum("conv1")]


def test_a_sweep_by_processes_tells_its_progress_and_gives_what_this_process_gives():
    images = np.random.default_rng(1).random((2 * SHARD + 9, 3, 8, 8), dtype=np.float32)
    model, source, told = testing.TinyModel(), ArraySource(images), list[tuple[int, int, str]]()
    here = sweep(model, source, [Sums()])
    there = sweep(model, source, [Sums()], lambda *step: told.append(step), executor=Processes(2), threads=1)
    assert content(there) == content(here)
    assert told[-1] == (len(images), len(images), "round 1")
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})


def test_a_result_is_merged_as_soon_as_those_before_it_are_there():
    model, source = testing.TinyModel(), ArraySource(IMAGES[:, :, :8, :8])
    several = [run_shard(model, source, [], each) for each in shards(len(IMAGES), SIX)]
    this, waiting = InMemory().begin((), len(IMAGES)), []
    for number in (1, 0, 3, 2):
        this.add(several[number])
        waiting.append(sorted(this.early))
    assert waiting == [[1], [], [3], []]


class Watched(Source):
    """Notes which images are read, and waits where it is told to."""

    def __init__(self, fails_at=None):
        self.inner, self.fails_at = ArraySource(IMAGES[:, :, :8, :8]), fails_at
        self.read_until, self.ahead = 0, threading.Event()

    ids, digest = property(lambda self: self.inner.ids), property(lambda self: self.inner.digest)

    def __len__(self):
        return len(self.inner)

    def read(self, start, stop, model):
        if self.fails_at is not None and start >= self.fails_at:
            raise ImageError("the disk is gone")
        self.read_until = stop
        if stop == 8:
            self.ahead.set()
        return self.inner.read(start, stop, model)


class Waiting(testing.TinyModel):
    """Computes the first batch only when the second was read."""

    source = None

    def _forward(self, x, capture, replace):
        assert self.source is None or self.source.ahead.wait(20)
        return super()._forward(x, capture, replace)


def test_the_next_images_are_read_while_the_model_computes():
    model = Waiting()
    model.batch_size = 4
    forward_limit(model)  # which looks at the network by passes of its own
    job = ShardJob(model, Watched(), (ActivationSum("conv1"),))
    with job.open() as work:
        model.source = job.source
        (shard,) = shards(len(IMAGES))
        ahead = work(shard)
    model.source = None
    np.testing.assert_array_equal(
        ahead.states[ActivationSum("conv1")]["sum"],
        run_shard(model, Watched(), job.statistics, shard).states[ActivationSum("conv1")]["sum"],
    )


def test_an_error_of_a_source_ends_the_shard_and_its_reader():
    before, model = threading.active_count(), testing.TinyModel()
    model.batch_size = 4
    with pytest.raises(ImageError, match="the disk is gone"):
        run_shard(model, Watched(fails_at=8), [ActivationSum("conv1")], shards(20)[0])
    assert threading.active_count() == before
