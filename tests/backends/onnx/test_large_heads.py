"""The matrices of large fully connected layers are handed to each run: same numbers, and no session holds them."""

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx import session
from crosslens.backends.zoo.onnx_files import quiet
from torch import nn

from benchmarks.networks import exported


@pytest.fixture(scope="module")
def proto():
    net = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Tanh(), nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 7))
    with quiet():
        return exported(net.eval(), shape=(3, 32, 32))


def asked(model):
    x = np.random.default_rng(0).random((3, 3, 32, 32), np.float32)
    seed = {OUTPUT: np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)}
    pull = model.vjp(x, seed, capture=[OUTPUT])
    with model.linearize(x, [OUTPUT], wrt=[INPUT]) as at:
        return [pull.activations[OUTPUT], pull.gradients[INPUT], at.vjp(seed)[INPUT], model.forward(x)[OUTPUT]]


def test_large_heads_change_no_number(proto, monkeypatch):
    want = asked(crosslens.wrap(proto, preprocess=None))
    monkeypatch.setattr(session, "HEAVY", 1)
    for got, expected in zip(asked(crosslens.wrap(proto, preprocess=None)), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_session_holds_no_large_head(proto, monkeypatch):
    monkeypatch.setattr(session, "HEAVY", 4 * 64 * 32)
    model = crosslens.wrap(proto, preprocess=None)
    asked(model)
    opened = [e for entry in model._sessions._open.values() for e in ([entry.ahead, entry.back]
              if isinstance(entry, session.Pair) else [entry])]  # fmt: skip
    taken = [{value.shape for value in executable._fed.values()} for executable in opened]
    assert len(taken) == 4
    assert all(shapes == {(32, 64)} for shapes in taken)
