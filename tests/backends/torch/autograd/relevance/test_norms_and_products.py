"""norms="stop" and products="half" on torch, against their formulas, however a network writes the operation."""

from math import sqrt

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional

SIZE = (6, 4, 3)
WEIGHT, BIAS = torch.linspace(-1, 2, 3, dtype=torch.float64), torch.linspace(0, 1, 3, dtype=torch.float64)
CHANNELS = torch.linspace(-1, 2, 6, dtype=torch.float64)
EPS = 1e-5


class Whole(nn.Module):
    """A network that is one function of the image; the parameter sets its type."""

    def __init__(self, function):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.function = function
        self.part = function.double() if isinstance(function, nn.Module) else None

    def forward(self, x):
        return self.function(x * self.scale).flatten(1)


def gradient(function, dy, images, **rules):
    spec = crosslens.InputSpec(SIZE, bounds=(-9.0, 9.0))
    model = crosslens.wrap(Whole(function), preprocess=None, input_shape=spec)
    pull = model.modified(**rules).vjp(images, {OUTPUT: dy.reshape(len(dy), -1)}, capture=[OUTPUT])
    np.testing.assert_array_equal(pull.activations[OUTPUT], model.forward(images)[OUTPUT])
    return pull.gradients[INPUT]


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(1, 2, size=(2, *SIZE)).astype(np.float32)


def over(axes, scale, *, centred=True, shape=None):
    """dx of a normalisation over these axes whose deviation is a constant: (w dy - its mean) / deviation."""

    def formula(x, dy):
        wide = scale if scale is None or (scale.ndim == 1 and axes == (3,)) else scale[:, None, None]
        weighted = dy if wide is None else dy * wide
        split = lambda v: v if shape is None else v.reshape(shape)  # noqa: E731
        values, seed = split(x), split(weighted)
        mean = values.mean(axes, keepdims=True) if centred else 0
        deviation = np.sqrt(((values - mean) ** 2).mean(axes, keepdims=True) + EPS)
        return ((seed - (seed.mean(axes, keepdims=True) if centred else 0)) / deviation).reshape(x.shape)

    return formula


def with_weights(module):
    """Weights from -1 to 2, biases of 1."""
    for parameter in module.parameters():
        parameter.data = torch.ones(parameter.numel(), dtype=torch.float64)
    module.weight.data = torch.linspace(-1, 2, module.weight.numel(), dtype=torch.float64)
    return module


def written_out(x):
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).pow(2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + EPS) * WEIGHT + BIAS


def by_a_power(x):
    x = x - x.mean(-1, keepdim=True)
    return x * ((x * x).mean(-1, keepdim=True) + EPS) ** -0.5 * WEIGHT


def in_place(x):
    d = x - x.mean(-1, keepdim=True)
    v = (d * d).mean(-1, keepdim=True).add_(EPS).sqrt_()
    return d.div_(v).mul_(WEIGHT)


def local_response(x, dy):
    """y = x / (k + alpha mean of squares over 3 channels) ^ beta."""
    squares = np.pad(x**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    mean = (squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]) / 3
    return dy / (1 + 0.5 * mean) ** 0.75


def by_length(x, dy):
    return dy / np.sqrt((x**2).sum(1, keepdims=True))


LAST = over((3,), WEIGHT.numpy())
PLAIN = over((3,), None)
NORMS = {
    "nn.LayerNorm": (with_weights(nn.LayerNorm(3)), LAST),
    "F.layer_norm": (lambda x: functional.layer_norm(x, (3,), WEIGHT, BIAS, EPS), LAST),
    "without weights": (lambda x: torch.layer_norm(x, [3]), PLAIN),
    "aten.layer_norm": (lambda x: torch.ops.aten.layer_norm.default(x, [3], WEIGHT, BIAS), LAST),
    "aten.native_layer_norm": (lambda x: torch.ops.aten.native_layer_norm.default(x, [3], WEIGHT, None, EPS)[0], LAST),
    "written out": (written_out, LAST),
    "by a power": (by_a_power, LAST),
    "in place": (in_place, LAST),
    "nn.RMSNorm": (with_weights(nn.RMSNorm(3, eps=EPS)), over((3,), WEIGHT.numpy(), centred=False)),
    "nn.GroupNorm": (with_weights(nn.GroupNorm(2, 6)), over((2,), CHANNELS.numpy(), shape=(2, 2, -1))),
    "aten.native_group_norm": (
        lambda x: torch.ops.aten.native_group_norm.default(x, CHANNELS, None, len(x), 6, 12, 2, EPS)[0],
        over((2,), CHANNELS.numpy(), shape=(2, 2, -1)),
    ),
    "nn.InstanceNorm2d": (with_weights(nn.InstanceNorm2d(6, affine=True)), over((2, 3), CHANNELS.numpy())),
    "torch.instance_norm": (
        lambda x: torch.instance_norm(x, None, None, None, None, True, 0.1, EPS, False),
        over((2, 3), None),
    ),
    "nn.LocalResponseNorm": (nn.LocalResponseNorm(3, 0.5), local_response),
    "F.normalize": (functional.normalize, by_length),
    "x / x.norm(2, 1, True)": (lambda x: x / x.norm(2, 1, True), by_length),
    "x / x.norm()": (
        lambda x: x / x.norm(dim=1, keepdim=True),
        lambda x, dy: dy / np.sqrt((x**2).sum(1, keepdims=True)),
    ),
}


@pytest.mark.parametrize("form", NORMS)
def test_the_deviation_is_a_constant(form, images):
    function, formula = NORMS[form]
    dy = np.random.default_rng(1).normal(size=images.shape)
    got = gradient(function, dy, images, norms="stop")
    np.testing.assert_allclose(got, formula(images.astype(np.float64), dy), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("decomposed", [False, True])
def test_norms_of_exported_programs_stop_too(images, decomposed):
    net = nn.Sequential(
        nn.Conv2d(6, 6, 1), nn.InstanceNorm2d(6, affine=True), nn.GroupNorm(3, 6), nn.LayerNorm(3)
    ).eval()
    program = torch.export.export(net, (torch.zeros(2, *SIZE),))
    program = program.run_decompositions() if decomposed else program
    dy = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    spec = crosslens.InputSpec(SIZE, bounds=(-9.0, 9.0))
    models = [crosslens.wrap(each, preprocess=None, input_shape=spec).modified(norms="stop") for each in (net, program)]
    expected, got = (model.vjp(images, {OUTPUT: dy}).gradients[INPUT] for model in models)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)


PRODUCTS = {
    "x * y": lambda a, b: a * b,
    "torch.mul": torch.mul,
    "x.mul_(y)": lambda a, b: a.clone().mul_(b),
    "x *= y, ignored": lambda a, b: _statement(a.clone(), b),
    "matmul": lambda a, b: a @ b.mT,
    "torch.einsum": lambda a, b: torch.einsum("nchw,nckw->nhk", a, b),
    "bmm": lambda a, b: torch.bmm(a.flatten(0, 1), b.flatten(0, 1).mT),
    "baddbmm": lambda a, b: torch.baddbmm(
        torch.ones(1, 1, dtype=a.dtype), a.flatten(0, 1), b.flatten(0, 1).mT, alpha=2
    ),
    "aten.mul": torch.ops.aten.mul.Tensor,
}


def _statement(a, b):
    a *= b
    return a


@pytest.mark.parametrize("form", PRODUCTS)
def test_both_gradients_of_a_product_are_halved(form, images):
    a, b = torch.linspace(-1, 2, 4, dtype=torch.float64)[:, None], torch.linspace(1, 2, 3, dtype=torch.float64)

    def function(x):
        y = PRODUCTS[form](torch.tanh(x + a), x.cos() + b)
        return y.reshape(len(x), -1)

    x = torch.from_numpy(images).double().requires_grad_()
    y = function(x)
    dy = np.random.default_rng(1).normal(size=tuple(y.shape))
    (whole,) = torch.autograd.grad(y, x, torch.from_numpy(dy))
    np.testing.assert_allclose(
        gradient(function, dy, images, products="half"), whole.numpy() / 2, rtol=1e-9, atol=1e-12
    )


def test_a_product_with_a_constant_is_whole(images):
    dy = np.random.default_rng(1).normal(size=images.shape)
    got = gradient(lambda x: x * WEIGHT + 2 * x.detach(), dy, images, products="half")
    np.testing.assert_allclose(got, dy * WEIGHT.numpy(), rtol=1e-12)


def scores(q, k):
    return (q @ k.mT / sqrt(q.shape[-1])).softmax(-1)


def test_attention_halves_values_and_quarters_queries_and_keys(images):
    """As lxt publishes it for a product, y = a b: each factor gets R / 2; the softmax keeps its gradient."""
    x = torch.from_numpy(images).double().requires_grad_()
    mixes = [torch.from_numpy(np.random.default_rng(n).normal(size=(3, 3))) for n in range(3)]

    def attend(x, which=(True, True, True)):
        parts = [x @ m if keep else (x @ m).detach() for m, keep in zip(mixes, which, strict=True)]
        return scores(parts[0], parts[1]) @ parts[2]

    def fused(x):
        q, k, v = (x @ m for m in mixes)
        return functional.scaled_dot_product_attention(q, k, v)

    dy = np.random.default_rng(1).normal(size=images.shape)
    seeds = torch.from_numpy(dy)
    shares = [torch.autograd.grad(attend(x, [n == k for k in range(3)]), x, seeds)[0] for n in range(3)]
    expected = (shares[0] + shares[1]) / 4 + shares[2] / 2
    for function in (fused, attend):
        np.testing.assert_allclose(
            gradient(function, dy, images, products="half"), expected.numpy(), rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("need_weights", [False, True])
def test_the_module_of_attention_is_its_formula(images, need_weights):
    torch.manual_seed(0)
    module = nn.MultiheadAttention(6, 2, batch_first=True).double()
    module.in_proj_bias.data.normal_()

    def function(x):
        tokens = x.flatten(2).mT
        return module(tokens, tokens, tokens, need_weights=need_weights)[0]

    def by_hand(x, which):
        tokens = x.flatten(2).mT
        parts = (tokens @ module.in_proj_weight.T + module.in_proj_bias).chunk(3, -1)
        parts = [part if keep else part.detach() for part, keep in zip(parts, which, strict=True)]
        q, k, v = (part.unflatten(-1, (2, 3)).transpose(1, 2) for part in parts)
        return module.out_proj((scores(q, k) @ v).transpose(1, 2).flatten(2))

    x = torch.from_numpy(images).double().requires_grad_()
    dy = np.random.default_rng(1).normal(size=(2, 12, 6))
    shares = [torch.autograd.grad(by_hand(x, [n == k for k in range(3)]), x, torch.from_numpy(dy))[0] for n in range(3)]
    expected = (shares[0] + shares[1]) / 4 + shares[2] / 2
    got = gradient(function, dy, images, products="half")
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-7, atol=1e-9)
