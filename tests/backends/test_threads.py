"""How many threads a model computes with: what was asked for within a block, and as before after it."""

import os
from contextlib import nullcontext, suppress

import crosslens
import numpy as np
from crosslens.execution.threads import computes_with, threads_at_start
from crosslens.method.unit_range import in_unit_range
from crosslens.testing import TinyModel

from tests.conformance.plans import SHAPE, plan


def test_torch_computes_with_them_and_has_its_own_back_after_an_error_too():
    import torch
    from torch import nn

    net, seen = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), []
    net.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    model, before = crosslens.wrap(net, preprocess=None, input_shape=SHAPE), torch.get_num_threads()
    seen.clear()
    for count in (1, 3):
        with suppress(KeyError), model.threads(count) as actual:
            model.forward(np.zeros((1, *SHAPE), np.float32))
            raise KeyError
        assert actual == count
        assert torch.get_num_threads() == before
    assert seen == [1, 3]


def test_onnxruntime_runs_sessions_of_so_many_threads_and_those_before_after_it(monkeypatch):
    from crosslens.backends.onnx.ir import session

    from tests.zoo.onnx import build

    opened, open_session = [], session.ort.InferenceSession

    def noting(content, options, **given):
        opened.append(options.intra_op_num_threads)
        return open_session(content, options, **given)

    monkeypatch.setattr(session.ort, "InferenceSession", noting)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    model, images = crosslens.wrap(build(plan("smooth"), SHAPE), preprocess=None), np.zeros((1, *SHAPE), np.float32)
    model.forward(images)
    opened.clear()
    for count in (1, 3, 1):
        with model.threads(count) as actual:
            model.forward(images)
        assert actual == count
    model.forward(images)
    assert opened == [1, 3], "a session for each number is opened once; the one before is there still"


def test_tensorflow_says_the_threads_that_it_has():
    """It cannot change them: a process of its own would start with others."""
    import tensorflow as tf

    from tests.zoo.keras import build

    model = crosslens.wrap(build(plan("smooth"), SHAPE), preprocess=None)
    started = tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))
    with model.threads(started + 15) as actual:
        assert actual == started


def test_a_view_computes_with_the_threads_of_its_model_and_a_model_without_says_so():
    class Threaded(TinyModel):
        def threads(self, count):
            return nullcontext(10 * count)

    model = Threaded()
    model.input = model.input.within((-1.0, 1.0))
    with in_unit_range(model).threads(2) as actual:
        assert actual == 20
    with computes_with(TinyModel(), 2) as actual:
        assert actual is None


def test_libraries_start_with_threads_within_a_block_alone(monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with threads_at_start(3):
        assert {os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")} == {"3"}
    assert dict(os.environ) == before
