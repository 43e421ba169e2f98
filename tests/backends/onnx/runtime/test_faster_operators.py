"""Forms that onnxruntime runs faster give the values of what they stand for."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.backends.onnx.autodiff.reverse import append_gradients
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Type
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.runtime import faster_operators
from crosslens.backends.onnx.shapes.inference import infer
from crosslens.model import INPUT, OUTPUT

from benchmarks.networks import exported

OPSETS = {"": 20}


def graph(x: tuple[int, ...]) -> Graph:
    return Graph([], {}, {"x": Type(FLOAT, x)}, [], OPSETS, {"x": Type(FLOAT, x)})


def run(g: Graph, x: np.ndarray, *outputs: str) -> list[np.ndarray]:
    g.outputs = list(outputs)
    return open_session(g).run(None, {"x": x})


@pytest.mark.parametrize("exponent", [0.25, 0.5, 0.75, 1.25, 1.5, -0.25, -0.5, -0.75, 0.6, 2.0])
def test_a_power_by_roots_is_the_power(exponent):
    g = graph((7,))
    y = g.op("Pow", "x", g.const(exponent, np.float32))
    faster_operators.faster_at_last(g)
    x = np.array([0, 1e-12, 0.3, 1, 7, np.inf, -2], np.float32)
    with np.errstate(all="ignore"):
        expected = x.astype(np.float64) ** exponent
    np.testing.assert_allclose(run(g, x, y)[0], expected, rtol=2e-6)
    assert any(node.op == "Pow" for node in g.nodes) == (exponent in {0.6, 2.0})


@pytest.mark.parametrize("pads", [(0, 0), (2, 2), (1, 0)])
@pytest.mark.parametrize("with_padding", [0, 1])
def test_a_mean_over_channels_by_convolution_is_the_mean(pads, with_padding):
    g = graph((2, 1, 6, 4, 3))
    how = {"kernel_shape": [3, 1, 1], "pads": [pads[0], 0, 0, pads[1], 0, 0], "count_include_pad": with_padding}
    y = g.op("AveragePool", "x", **how)
    x = np.random.default_rng(0).standard_normal((2, 1, 6, 4, 3)).astype(np.float32)
    expected = run(g.copy(), x, y)[0]
    infer(g)
    g = faster_operators.faster_copy(g)
    assert not any(node.op == "AveragePool" for node in g.nodes)
    np.testing.assert_allclose(run(g, x, y)[0], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [3, 5])
def test_local_response_normalisation_agrees_with_torch(size):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 3), torch.nn.ReLU(), torch.nn.LocalResponseNorm(size, alpha=0.7), torch.nn.Flatten(),
        torch.nn.Linear(12 * 100, 4),
    ).eval()  # fmt: skip
    model = crosslens.wrap(exported(net, shape=(3, 12, 12)), preprocess=None)
    rng = np.random.default_rng(0)
    x, seed = rng.random((2, 3, 12, 12), np.float32), rng.random((2, 4), np.float32)
    pull = model.vjp(x, {OUTPUT: seed}, capture=[OUTPUT])
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = net.double()(exact)
    (gradient,) = torch.autograd.grad(y, exact, torch.tensor(seed, dtype=torch.float64))
    np.testing.assert_allclose(pull.activations[OUTPUT], y.detach(), rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(pull.gradients[INPUT] - gradient.numpy()) < 1e-6 * gradient.norm()


def split_in_three(order: tuple[int, ...]) -> tuple[Graph, str]:
    """x cut along axis 1 at 2 and 5, the pieces squared and summed in this order."""
    g = graph((2, 6, 3))
    pieces = [g.op("Slice", "x", g.ints([a]), g.ints([b]), g.ints([1])) for a, b in ((0, 2), (2, 5), (5, 6))]
    totals = [g.op("ReduceSum", g.op("Mul", pieces[i], pieces[i]), g.ints([0, 1, 2]), keepdims=0) for i in order]
    y = g.op("Sum", *totals)
    infer(g)
    return g, y


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2)])
def test_pieces_of_a_tensor_get_their_cotangents_side_by_side(order):
    g, y = split_in_three(order)
    seed = g.const(1, np.float32)
    dx = append_gradients(g, {y: seed}, ["x"])["x"]
    x = np.random.default_rng(0).standard_normal((2, 6, 3)).astype(np.float32)
    expected = 2 * x
    if 1 not in order:
        expected[:, 2:5] = 0
    np.testing.assert_allclose(run(g, x, dx)[0], expected, rtol=1e-6)
    assert any(node.op == "Concat" for node in g.nodes) == (1 in order)


def test_pieces_that_overlap_are_added():
    g = graph((1, 4))
    pieces = [g.op("Slice", "x", g.ints([a]), g.ints([b]), g.ints([1])) for a, b in ((0, 3), (1, 4))]
    y = g.op("Sum", *(g.op("ReduceSum", piece, g.ints([0, 1]), keepdims=0) for piece in pieces))
    infer(g)
    dx = append_gradients(g, {y: g.const(1, np.float32)}, ["x"])["x"]
    assert run(g, np.ones((1, 4), np.float32), dx)[0].tolist() == [[1, 2, 2, 1]]
