"""slope="ratio" on torch: the factor f(x) / x by the functions' definitions, however a network writes them."""

from math import erf, exp, log1p, pi, sqrt, tanh

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional

SIZE = (3, 6, 6)


def sigmoid(a):
    return 1 / (1 + exp(-a))


def clip(a, low=0, high=6):
    return min(max(a, low), high)


FUNCTIONS = {
    "relu": lambda a: max(a, 0),
    "relu6": clip,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "gelu": lambda a: a * 0.5 * (1 + erf(a / sqrt(2))),
    "gelu, tanh": lambda a: 0.5 * a * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 * a**3))),
    "silu": lambda a: a * sigmoid(a),
    "hardswish": lambda a: a * clip(a + 3) / 6,
    "hardsigmoid": lambda a: clip(a + 3) / 6,
    "elu": lambda a: a if a > 0 else exp(a) - 1,
    "selu": lambda a: 1.0507009873554805 * (a if a > 0 else 1.6732632423543772 * (exp(a) - 1)),
    "mish": lambda a: a * tanh(log1p(exp(a))),
    "softplus": lambda a: log1p(exp(a)),
    "softsign": lambda a: a / (1 + abs(a)),
    "erf": erf,
}


def gelu_in_steps(x):
    y = x * 0.7071067811865476
    y = torch.erf(y)
    return 0.5 * x * (1.0 + y)


def silu_overwriting(x):
    """As networks on a small memory do."""
    return x.mul_(x.sigmoid())


def mish_of_a_scaled_input(x):
    """The chain has elementwise operators in front of x itself."""
    return x * torch.tanh(functional.softplus(x))


def scaled_after(x):
    y = x * torch.sigmoid(x)
    y += 0
    return y


FORMS = {
    "F.relu": (functional.relu, "relu"),
    "nn.ReLU6": (nn.ReLU6(), "relu6"),
    "nn.ReLU6(inplace)": (nn.ReLU6(inplace=True), "relu6"),
    "clamp": (lambda x: x.clamp(0, 6), "relu6"),
    "aten.hardtanh_": (lambda x: torch.ops.aten.hardtanh_.default(x, 0, 6), "relu6"),
    "x.sigmoid()": (lambda x: x.sigmoid(), "sigmoid"),
    "torch.sigmoid_": (torch.sigmoid_, "sigmoid"),
    "torch.special.expit": (torch.special.expit, "sigmoid"),
    "nn.Tanh": (nn.Tanh(), "tanh"),
    "nn.GELU": (nn.GELU(), "gelu"),
    "nn.GELU(tanh)": (nn.GELU("tanh"), "gelu, tanh"),
    "gelu written out": (gelu_in_steps, "gelu"),
    "gelu written in another order": (lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2, "gelu"),
    "tanh gelu written out": (
        lambda x: 0.5 * x * (1.0 + torch.tanh((2 / pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3.0)))),
        "gelu, tanh",
    ),
    "nn.SiLU(inplace)": (nn.SiLU(inplace=True), "silu"),
    "aten.silu": (torch.ops.aten.silu.default, "silu"),
    "silu written out": (lambda x: x * torch.sigmoid(x), "silu"),
    "silu by a division": (lambda x: x / (1 + torch.exp(-x)), "silu"),
    "silu in place": (silu_overwriting, "silu"),
    "silu, something in place behind": (scaled_after, "silu"),
    "F.hardswish": (functional.hardswish, "hardswish"),
    "hardswish written out": (lambda x: x * functional.relu6(x + 3) / 6, "hardswish"),
    "hardswish by hardsigmoid": (lambda x: x * functional.hardsigmoid(x), "hardswish"),
    "F.hardsigmoid": (functional.hardsigmoid, "hardsigmoid"),
    "nn.ELU(inplace)": (nn.ELU(inplace=True), "elu"),
    "F.selu": (functional.selu, "selu"),
    "F.mish": (functional.mish, "mish"),
    "mish written out": (mish_of_a_scaled_input, "mish"),
    "F.softplus": (functional.softplus, "softplus"),
    "F.softsign": (functional.softsign, "softsign"),
    "torch.erf": (torch.erf, "erf"),
}


class Between(nn.Module):
    """A linear layer, an activation function, a linear layer."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        self.function = function

    def forward(self, x):
        return self.second(self.function(6 * self.first(x) + 1))


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, *SIZE), np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_the_factor_is_the_ratio_however_the_function_is_written(form, images):
    function, kind = FORMS[form]
    net = Between(function).double()
    x = torch.from_numpy(images).double().requires_grad_()
    a = 6 * net.first(x) + 1
    y = np.vectorize(FUNCTIONS[kind])(a.detach().numpy())
    middle = torch.tensor(y, requires_grad=True)
    dy = np.random.default_rng(1).standard_normal((2, 2, 2, 2))
    (at_output,) = torch.autograd.grad(net.second(middle), middle, torch.from_numpy(dy))
    (expected,) = torch.autograd.grad(a, x, at_output * torch.from_numpy(y / a.detach().numpy()))
    model = crosslens.wrap(net, preprocess=None, input_shape=SIZE)
    pull = model.modified(slope="ratio").vjp(images, {OUTPUT: dy}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.gradients[INPUT], expected.numpy(), rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(pull.activations[OUTPUT], model.forward(images)[OUTPUT])


def test_where_x_is_0_the_factor_is_the_derivative():
    net = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.GELU())
    net[0].weight.data = torch.eye(3)[:, :, None, None]
    model = crosslens.wrap(net, preprocess=None, input_shape=SIZE).modified(slope="ratio")
    zeros = np.zeros((1, *SIZE), np.float32)
    np.testing.assert_allclose(model.vjp(zeros, {OUTPUT: np.ones_like(zeros)}).gradients[INPUT], 0.5, rtol=1e-6)


@pytest.mark.parametrize("function", [torch.exp, lambda x: x.abs().sqrt(), lambda x: x**3, lambda x: x * x, torch.sin])
def test_functions_that_are_no_activation_keep_their_derivative(function, images):
    model = crosslens.wrap(Between(function), preprocess=None, input_shape=SIZE)
    dy = np.random.default_rng(1).standard_normal((2, 2, 2, 2)).astype(np.float32)
    expected, got = (m.vjp(images, {OUTPUT: dy}).gradients[INPUT] for m in (model, model.modified(slope="ratio")))
    np.testing.assert_array_equal(got, expected)


def test_a_gate_is_no_activation_function_of_what_it_scales(images):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.gate = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = self.conv(x)
            return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))

    net = Gated().double()
    x = torch.from_numpy(images).double().requires_grad_()
    maps = net.conv(x)
    inside = net.gate(maps.mean((2, 3), keepdim=True))
    ratio = (torch.sigmoid(inside) / inside).detach()
    y = maps * (inside * ratio)  # the gate's own factor is its ratio
    dy = np.random.default_rng(1).standard_normal(tuple(y.shape))
    (expected,) = torch.autograd.grad(y, x, torch.from_numpy(dy))
    model = crosslens.wrap(net, preprocess=None, input_shape=SIZE).modified(slope="ratio")
    np.testing.assert_allclose(model.vjp(images, {OUTPUT: dy}).gradients[INPUT], expected.numpy(), rtol=1e-8)


def test_relevance_passes_activations_unchanged_in_exported_programs_too(images):
    net = nn.Sequential(Between(nn.SiLU()), nn.GELU(), nn.Conv2d(2, 3, 1), nn.Hardswish()).eval()
    program = torch.export.export(net, (torch.zeros(2, *SIZE),))
    dy = np.random.default_rng(1).standard_normal((2, 3, 2, 2)).astype(np.float32)
    given = [crosslens.wrap(n, preprocess=None, input_shape=SIZE) for n in (net, program, program.run_decompositions())]
    expected, *got = (m.modified(slope="ratio").vjp(images, {OUTPUT: dy}).gradients[INPUT] for m in given)
    for each in got:
        np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-6)
