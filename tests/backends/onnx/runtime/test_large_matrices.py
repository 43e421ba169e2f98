"""Large matrices are handed to each run, constants are lent to sessions: same numbers, and no session copies them."""

import gc

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Type
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.runtime import large_matrices
from crosslens.backends.onnx.runtime.executable import SplitExecutable
from crosslens.backends.onnx.runtime.program import Request, split_programs
from crosslens.backends.quiet_exporters import quiet
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
    monkeypatch.setattr(large_matrices, "HEAVY", 1)
    for got, expected in zip(asked(crosslens.wrap(proto, preprocess=None)), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_session_holds_no_large_head(proto, monkeypatch):
    monkeypatch.setattr(large_matrices, "HEAVY", 4 * 64 * 32)
    model = crosslens.wrap(proto, preprocess=None)
    asked(model)
    opened = [e for entry in model._sessions._open.values() for e in ([entry.forward, entry.backward]
              if isinstance(entry, SplitExecutable) else [entry])]  # fmt: skip
    taken = [{value.shape for value in executable._matrices.values()} for executable in opened]
    assert len(taken) == 4
    assert all(shapes == {(32, 64)} for shapes in taken)


class Tokens(nn.Module):
    """(N, 3, 32, 32) -> (N, 7): 64 tokens, two products by a matrix, their mean."""

    def __init__(self):
        super().__init__()
        self.patches, self.wide, self.narrow = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24), nn.Linear(24, 7)

    def forward(self, x):
        return self.narrow(self.wide(self.patches(x).flatten(2).transpose(1, 2)).tanh()).mean(1)


def test_matrices_of_many_rows_are_handed_to_gradients_only_and_change_no_number(monkeypatch):
    with quiet():
        file = exported(Tokens().eval(), shape=(3, 32, 32))
    want = asked(crosslens.wrap(file, preprocess=None))
    monkeypatch.setattr(large_matrices, "LARGE", 4 * 8 * 24)
    monkeypatch.setattr(large_matrices, "ROWS", 64)
    model = crosslens.wrap(file, preprocess=None)
    for got, expected in zip(asked(model), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    taken = {key[0]: entry for key, entry in model._sessions._open.items()}
    assert not taken["forward"]._matrices
    assert {v.shape for v in taken["fused"]._matrices.values()} == {(8, 24)}
    assert {v.shape for v in taken["split"].forward._matrices.values()} == {(8, 24)}
    monkeypatch.setattr(large_matrices, "ROWS", 65)
    assert not large_matrices.large_matrices_as_inputs(taken["fused"].program.graph, twice=True)[1], "too few rows"


def test_a_kernel_is_turned_round_in_the_program_that_reads_it():
    with quiet():
        layers = nn.Conv2d(3, 32, 3), nn.Tanh(), nn.Conv2d(32, 32, 3), nn.Tanh(), nn.Conv2d(32, 7, 28)
        model = crosslens.wrap(exported(nn.Sequential(*layers).eval(), shape=(3, 32, 32)), preprocess=None)
    early, late = split_programs(
        model._inferred_at(("N", 3, 32, 32)), model._layer_tensors, Request((OUTPUT,), (OUTPUT,), (INPUT,))
    )
    assert not {"Slice", "Transpose"}.intersection(node.op for node in early.graph.nodes)
    assert [node.op for node in late.graph.nodes].count("Slice") == 2
    assert not any(name.startswith(("Transpose", "Slice")) for name in early.saved)


def test_constants_live_as_long_as_the_session_that_they_were_lent_to():
    value = np.random.default_rng(0).random((64, 512), np.float32)
    graph = Graph([], {}, {"x": Type(FLOAT, (1, 64))}, [], {"": 18})
    graph.outputs = [graph.op("Gemm", "x", graph.derived_constant("w", value.copy))]
    opened = open_session(graph, optimise=False)
    del graph
    gc.collect()
    others = [np.zeros((64, 512), np.float32) for _ in range(50)]
    np.testing.assert_allclose(opened.run(None, {"x": np.eye(1, 64, 5, np.float32)})[0][0], value[5], rtol=1e-6)
    assert len(others) == 50
