"""slope="ratio" against f(x) / x in torch's float64, for activation functions as operators and written out."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .networks import close, exported, gradient, with_rule

ACTS = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(3 * x),
    "clamp": lambda x: x.clamp(-0.5, 0.7),
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu written out": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "gelu written out, half last": lambda x: x * (1 + torch.erf(x * 0.5**0.5)) * 0.5,
    "silu": F.silu,
    "silu by exp": lambda x: x / (1 + torch.exp(-x)),
    "swish of 1.7": lambda x: x * torch.sigmoid(1.7 * x),
    "hardswish": F.hardswish,
    "hardswish by relu6": lambda x: x * F.relu6(x + 3) / 6,
    "hardsigmoid": F.hardsigmoid,
    "elu": F.elu,
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.6),
    "mish": F.mish,
    "mish written out": lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))),
    "softplus": F.softplus,
    "softsign": F.softsign,
}
KEPT = {"exp": torch.exp, "square": lambda x: x * x, "abs": torch.abs, "cos": torch.cos,
        "log": lambda x: torch.log(x * x + 1), "root": lambda x: torch.sqrt(x * x + 1)}  # fmt: skip
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
DY = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)


class Between(nn.Module):
    """An activation function between two dense layers."""

    def __init__(self, act):
        super().__init__()
        torch.manual_seed(0)
        self.act, self.first, self.last = act, nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x, act=None):
        return self.last((act or self.act)(2 * self.first(x)))


def ratio(x, dy, f, derivative):
    near = x.abs() < 1e-10
    return dy * torch.where(near, derivative, f(x) / torch.where(near, 1.0, x))


@pytest.mark.parametrize("opset", [13, 18, 20])
@pytest.mark.parametrize("name", ACTS)
def test_the_slope_is_the_ratio_of_output_to_input(name, opset):
    net = Between(ACTS[name])
    model = exported(net, (4,), opset).modified(slope="ratio")
    got = model.vjp(X, {OUTPUT: DY}).gradients[INPUT]
    want = gradient(lambda u: net.double()(u, with_rule(ACTS[name], ratio)), X, DY)
    close(got, want)


@pytest.mark.parametrize("name", KEPT)
def test_other_functions_keep_their_derivative(name):
    net = Between(KEPT[name])
    model = exported(net, (4,)).modified(slope="ratio")
    close(model.vjp(X, {OUTPUT: DY}).gradients[INPUT], gradient(net.double(), X, DY))


@pytest.mark.parametrize("name", [n for n in ACTS if "clamp" not in n])
def test_at_zero_the_slope_is_the_derivative(name):
    class Alone(nn.Module):
        def forward(self, x):
            return ACTS[name](x)

    x, dy = np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32)
    got = exported(Alone(), (4,)).modified(slope="ratio").vjp(x, {OUTPUT: dy}).gradients[INPUT]
    if name not in {"selu", "celu", "elu"}:  # kinks, or the same from both sides but for a factor
        np.testing.assert_allclose(got, gradient(ACTS[name], x, dy), atol=1e-6)
    assert np.isfinite(got).all()


def test_a_gate_of_another_tensor_is_no_activation_function():
    """x sigmoid(W x) is a product of two: the sigmoid has its ratio, the product its derivative."""

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.gate = nn.Linear(4, 4)

        def forward(self, x, sigmoid=None):
            return x * (sigmoid or torch.sigmoid)(self.gate(x))

    net, dy = Gated(), np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    got = exported(net, (4,)).modified(slope="ratio").vjp(X, {OUTPUT: dy}).gradients[INPUT]
    close(got, gradient(lambda u: net.double()(u, with_rule(torch.sigmoid, ratio)), X, dy))
