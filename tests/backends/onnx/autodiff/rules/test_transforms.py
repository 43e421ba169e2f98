"""Fourier transforms, running products and determinants against torch's autograd in float64."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)


def rand(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def close(got, want, rtol=1e-5):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


def by_torch(function, x, dy):
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(function(exact), exact, torch.tensor(dy, dtype=torch.float64))
    return found.numpy()


def pairs(z):
    return torch.view_as_real(z.resolve_conj())


FOURIER = {
    "of complex numbers": (2, {}, lambda x, n, a: pairs(torch.fft.fft(torch.view_as_complex(x), n, a))),
    "of real numbers": (1, {}, lambda x, n, a: pairs(torch.fft.fft(x[..., 0], n, a))),
    "of real numbers, one side": (1, {"onesided": 1}, lambda x, n, a: pairs(torch.fft.rfft(x[..., 0], n, a))),
    "back": (2, {"inverse": 1}, lambda x, n, a: pairs(torch.fft.ifft(torch.view_as_complex(x), n, a))),
    "back from real numbers": (1, {"inverse": 1}, lambda x, n, a: pairs(torch.fft.ifft(x[..., 0], n, a))),
}


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("length", [None, 5, 6, 9, 10])
@pytest.mark.parametrize("name", FOURIER)
def test_dft_of_any_length_along_any_axis(vjp_of_node, name, length, opset):
    """Cut off and filled up with zeros; lengths odd and even."""
    parts, how, function = FOURIER[name]
    for axis, shape in ((1, (2, 7, 3, parts)), (2, (2, 3, 8, parts))):
        x = rand(*shape)
        inputs = {"x": x, "n": None if length is None else np.int64(length)}
        inputs, given = (inputs, {"axis": axis}) if opset < 20 else ({**inputs, "a": np.int64(axis - 4)}, {})
        known = [n for n in ("n", "a") if inputs.get(n) is not None]
        while inputs[list(inputs)[-1]] is None:
            inputs.popitem()
        dy = rand(*function(torch.tensor(x), length, axis).shape)
        got = vjp_of_node("DFT", inputs, {"y": dy}, constants=known, opset=opset, **how, **given)["x"]
        close(got, by_torch(lambda x, axis=axis: function(x, length, axis), x, dy), 2e-5)


@pytest.mark.parametrize("length", [None, 5, 6, 9])
def test_dft_back_from_one_side(vjp_of_node, length):
    x = rand(2, 5, 3, 2)
    inputs = {"x": x, "n": None if length is None else np.int64(length), "a": np.int64(1)}

    def function(x):
        return torch.fft.irfft(torch.view_as_complex(x), length, 1)[..., None]

    dy = rand(*function(torch.tensor(x)).shape)
    known = [n for n in ("n", "a") if inputs[n] is not None]
    got = vjp_of_node("DFT", inputs, {"y": dy}, constants=known, opset=20, inverse=1, onesided=1)["x"]
    close(got, by_torch(function, x, dy), 2e-5)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_a_running_product_with_and_without_zeros(vjp_of_node, reverse, exclusive):
    x, dy = rand(4, 6, 2), rand(4, 6, 2)
    x[1, 2], x[2, [1, 4]], x[3, 0] = 0, 0, 0

    def function(x):
        x = x.flip(1) if reverse else x
        rows = [torch.ones_like(x[:, 0])] if exclusive else [x[:, 0]]
        for k in range(1, x.shape[1]):
            rows.append(rows[-1] * x[:, k - 1 if exclusive else k])
        y = torch.stack(rows, 1)
        return y.flip(1) if reverse else y

    got = vjp_of_node("CumProd", {"x": x, "axis": np.int64(-2)}, {"y": dy}, constants=["axis"], opset=26,
                      exclusive=exclusive, reverse=reverse)["x"]  # fmt: skip
    close(got, by_torch(function, x, dy))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_determinants_of_matrices_with_an_inverse_and_without(vjp_of_node, size):
    x, dy = rand(2, 3, size, size), rand(2, 3)
    x[0, 1, -1] = x[0, 1, 0]

    def leibniz(x):
        if x.shape[-1] == 1:
            return x[..., 0, 0]
        rest = x[..., 1:, :]
        minors = [torch.cat([rest[..., :k], rest[..., k + 1 :]], -1) for k in range(x.shape[-1])]
        return sum((-1) ** k * x[..., 0, k] * leibniz(minor) for k, minor in enumerate(minors))

    close(vjp_of_node("Det", {"x": x}, {"y": dy})["x"], by_torch(leibniz, x, dy), 5e-5)


def test_the_determinant_of_one_matrix_is_a_number(vjp_of_node):
    x = rand(3, 3)
    want = np.linalg.det(x) * np.linalg.inv(x).T
    close(vjp_of_node("Det", {"x": x}, {"y": np.array(1, np.float32)})["x"], want, 1e-4)


def test_a_filter_between_two_transforms_of_maps():
    """What a global filter network does (https://arxiv.org/abs/2107.00645): a filter of one side of the spectrum."""
    weights = rand(1, 1, 8, 5, 1)
    nodes = [
        helper.make_node("Unsqueeze", ["x", "end"], ["u"]),
        helper.make_node("DFT", ["u", "", "wide"], ["a"], onesided=1),
        helper.make_node("DFT", ["a", "", "high"], ["b"]),
        helper.make_node("Mul", ["b", "weights"], ["c"]),
        helper.make_node("DFT", ["c", "", "high"], ["d"], inverse=1),
        helper.make_node("DFT", ["d", "eight", "wide"], ["e"], inverse=1, onesided=1),
        helper.make_node("Squeeze", ["e", "end"], ["y"]),
    ]
    constants = {"end": [-1], "wide": 3, "high": 2, "eight": 8}
    tensors = [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()]
    tensors.append(numpy_helper.from_array(weights, "weights"))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, 8, 8]) for n in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)

    def filtered(x):
        return torch.fft.irfft2(torch.fft.rfft2(x) * torch.tensor(weights[..., 0], dtype=torch.float64), s=(8, 8))

    x, dy = rand(2, 3, 8, 8), rand(2, 3, 8, 8)
    pull = wrap(proto, preprocess=None).vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], filtered(torch.tensor(x, dtype=torch.float64)).numpy(), 1e-4)
    close(pull.gradients[INPUT], by_torch(filtered, x, dy), 1e-4)
