"""slope="secant" on torch: the rules of DeepLIFT by their formulas, published values, and completeness."""

from math import sqrt

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional

SIZE = (4, 6, 6)
BOUNDS = crosslens.InputSpec(SIZE, bounds=(-9.0, 9.0))


@pytest.fixture
def pairs():
    return np.random.default_rng(0).normal(0.3, 1.5, size=(6, *SIZE)).astype(np.float32)


class Between(nn.Module):
    """A linear layer, a function, a linear layer."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.function = function
        self.head = nn.LazyLinear(3)
        self(torch.zeros(2, *SIZE))

    def forward(self, x):
        return self.head(self.function(self.first(x)).flatten(1))


def multipliers(net, pairs, dy=None):
    """The gradients of the secant model, and the network's outputs."""
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS).modified(slope="secant")
    seeds = np.ones((len(pairs), 3)) if dy is None else dy
    pull = model.vjp(pairs, {OUTPUT: seeds}, capture=[OUTPUT])
    return pull.gradients[INPUT], pull.activations[OUTPUT], model


def halves(values):
    count = len(values) // 2
    return values[:count], values[count:]


ELEMENTWISE = {
    "F.relu": functional.relu,
    "nn.ReLU(inplace)": nn.ReLU(inplace=True),
    "x.clamp_(0, 1)": lambda x: x.clamp_(0, 1),
    "aten.hardtanh": torch.ops.aten.hardtanh.default,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.3),
    "nn.PReLU": nn.PReLU(4),
    "nn.GELU": nn.GELU(),
    "aten.silu": torch.ops.aten.silu.default,
    "torch.sigmoid": torch.sigmoid,
    "torch.exp": torch.exp,
    "log": lambda x: (x.abs() + 1).log(),
    "sqrt_": lambda x: (x * x + 1).sqrt_(),
    "1 / x": lambda x: 1 / (x.exp() + 0.5),
    "div by x": lambda x: torch.div(torch.full((1,), 2.0, dtype=x.dtype), x.exp() + 0.5),
    "x ** 2": lambda x: x**2,
    "x ** 3": lambda x: torch.pow(x, 3),
    "2 ** x": lambda x: 2**x,
    "abs": abs,
    "sin": lambda x: x.sin(),
    "sign": torch.sign,
    "maximum(x, 0.1)": lambda x: torch.maximum(x, torch.full((1,), 0.1, dtype=x.dtype)),
    "elu written out": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "relu by where": lambda x: torch.where(x > 0, x, torch.zeros((), dtype=x.dtype)),
    "masked_fill": lambda x: x.masked_fill(x < 0.1, -0.5),
    "masked_fill_": lambda x: x.masked_fill_(x < 0.1, 0),
    "x * x": lambda x: x * x,
    "silu written out": lambda x: x * torch.sigmoid(x),
}


@pytest.mark.parametrize("form", ELEMENTWISE)
def test_the_factor_is_the_secant(form, pairs):
    net = Between(ELEMENTWISE[form]).double().eval()
    dy = np.random.default_rng(1).normal(size=(6, 3))
    x = torch.from_numpy(pairs).double().requires_grad_()
    a = net.first(x)
    with torch.no_grad():
        y = net.function(a.clone())
        (a1, a2), (y1, y2) = halves(a), halves(y)
        factor = ((y1 - y2) / (a1 - a2)).repeat(2, 1, 1, 1)
        back = (torch.from_numpy(dy) @ net.head.weight).reshape(a.shape)
    (expected,) = torch.autograd.grad(a, x, back * factor)
    got, output, _ = multipliers(net, pairs, dy)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(output, net(torch.from_numpy(pairs).double()).detach().numpy(), rtol=1e-12)


def attention(x):
    tokens = x.flatten(2).mT
    q, k, v = tokens, tokens.roll(1, 1) * 0.5, tokens.roll(2, 2)
    return functional.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])


def masked(x):
    tokens = x.flatten(2).mT
    q = tokens[:, None]
    return functional.scaled_dot_product_attention(q, q, q, is_causal=True)


class Attend(nn.Module):
    def __init__(self, need_weights, batch_first=True):
        super().__init__()
        self.module = nn.MultiheadAttention(4, 2, batch_first=batch_first)
        self.need_weights = need_weights

    def forward(self, x):
        x = x.flatten(2).mT if self.module.batch_first else x.flatten(2).permute(2, 0, 1)
        y = self.module(x, x, x, need_weights=self.need_weights)[0]
        return y if self.module.batch_first else y.transpose(0, 1)


class TokensFirst(nn.Module):
    """A transformer's layer on (T, N, D), as many times as many tokens as images."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", norm_first=True)

    def forward(self, x):
        return self.layer(x.flatten(2).permute(2, 0, 1)).transpose(0, 1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.one(x.mean((2, 3), keepdim=True)))


def residual(x):
    y = functional.relu(x)
    y += x
    return functional.relu_(y)


def dynamic(x, kernel):
    """A convolution of each channel with a kernel of its own image."""
    return functional.conv2d(x.flatten(0, 1)[None], kernel, groups=len(kernel)).reshape(x.shape)


COMPOSED = {
    "softmax over channels": nn.Softmax(1),
    "x.softmax(-1)": lambda x: x.softmax(-1),
    "aten._softmax": lambda x: torch.ops.aten._softmax.default(x, 1, False),
    "log_softmax": lambda x: functional.log_softmax(x, 1),
    "logsumexp": lambda x: x.logsumexp(1),
    "softmin": lambda x: functional.softmin(x, dim=1),
    "layer_norm": nn.LayerNorm(6),
    "aten.native_layer_norm": lambda x: torch.ops.aten.native_layer_norm.default(x, [6], None, None, 1e-5)[0],
    "group_norm": nn.GroupNorm(2, 4),
    "instance_norm": nn.InstanceNorm2d(4),
    "rms_norm": nn.RMSNorm(6),
    "local_response_norm": nn.LocalResponseNorm(3, 0.5),
    "normalize": functional.normalize,
    "norm written out": lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 0.1).sqrt(),
    "var(1, True, True)": lambda x: (x - x.mean(1, True)) / (torch.var(x, 1, True, True) + x.amax(1, True).exp()),
    "x / x.std()": lambda x: x / x.std(dim=1, keepdim=True),
    "x / x.norm()": lambda x: x / x.norm(dim=1, keepdim=True),
    "attention": attention,
    "causal attention": masked,
    "MultiheadAttention": Attend(False),
    "MultiheadAttention with weights": Attend(True),
    "MultiheadAttention, tokens first": Attend(True, batch_first=False),
    "a transformer's layer, tokens first": TokensFirst(),
    "gate": Gate(),
    "glu": lambda x: functional.glu(x, 1),
    "einsum": lambda x: torch.einsum("nchw,nkhw->nck", x, x.cos()),
    "baddbmm": lambda x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2], alpha=0.5),
    "in place": lambda x: x.clone().mul_(x.sigmoid()),
    "in place, ignored": lambda x: statement(x.clone()),
    "x / y": lambda x: x[:, :2] / (x[:, 2:].exp() + 1),
    "max_pool2d": nn.MaxPool2d(3, 2, 1),
    "max_pool2d with indices": lambda x: functional.max_pool2d(x, 2, return_indices=True)[0],
    "adaptive_max_pool2d": nn.AdaptiveMaxPool2d(2),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1),
    "max over an axis": lambda x: x.max(dim=1).values,
    "maximum of two": lambda x: torch.maximum(x[:, :2], x[:, 2:]),
    "minimum of two": lambda x: torch.min(x[:, :2], x[:, 2:]),
    "maxout": lambda x: x.unflatten(1, (2, 2)).amax(2),
    "residual in place": residual,
    "batch norm": nn.BatchNorm2d(4),
    "reused": nn.Sequential(act := nn.ReLU(), nn.Conv2d(4, 4, 1), act),
    "dynamic convolution": lambda x: dynamic(x, x.mean((2, 3)).reshape(-1, 1, 1, 1).tanh()),
}


def statement(x):
    x *= x.flip(1)
    return x


@pytest.mark.parametrize("form", COMPOSED)
def test_shares_add_up_to_the_difference_of_outputs(form, pairs):
    """Completeness at either half, with float32's 1e-5."""
    torch.manual_seed(1)
    net = Between(COMPOSED[form]).eval()
    got, output, model = multipliers(net, pairs)
    difference = np.subtract(*halves(pairs.astype(np.float64)))
    expected = np.subtract(*halves(output.astype(np.float64))).sum(1)
    for half in halves(got.astype(np.float64)):
        shares = half * difference
        np.testing.assert_allclose(
            shares.sum((1, 2, 3)), expected, rtol=1e-5, atol=1e-5 * max(1, np.abs(shares).sum((1, 2, 3)).max())
        )
    assert model.caveats() == ()


def test_a_product_takes_the_means_of_the_other_factor(pairs):
    net = Between(lambda x: x[:, :2] * x[:, 2:]).double()
    got, _, _ = multipliers(net, pairs)
    x = torch.from_numpy(pairs).double().requires_grad_()
    a = net.first(x)
    means = (a[:3] + a[3:]).detach().repeat(2, 1, 1, 1) / 2
    dy = net.head.weight.sum(0).reshape(2, 6, 6).expand(6, -1, -1, -1)
    (expected,) = torch.autograd.grad(a, x, torch.cat([dy * means[:, 2:], dy * means[:, :2]], dim=1))
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-9)


def test_softmax_is_its_derivative_at_logarithmic_means(pairs):
    """L (dy - sum dy L / sum L), L = (y - y') / (ln y - ln y'), by hand for each pair; complete, whatever dy is."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 6, bias=False), nn.Softmax(-1)).double()
    net[1].weight.data = torch.eye(6, dtype=torch.float64)
    images = pairs[:, :1, :1]
    model = crosslens.wrap(net, preprocess=None, input_shape=crosslens.InputSpec((1, 1, 6), bounds=(-9.0, 9.0)))
    dy = np.random.default_rng(1).normal(size=(6, 6))
    got = model.modified(slope="secant").vjp(images, {OUTPUT: dy}).gradients[INPUT].reshape(6, 6)
    for n in range(6):
        x, other = (images[m].astype(np.float64).ravel() for m in (n % 3, n % 3 + 3))
        p, q = (np.exp(each) / np.exp(each).sum() for each in (x, other))
        mean = (p - q) / (np.log(p) - np.log(q))
        np.testing.assert_allclose(got[n], mean * (dy[n] - (dy[n] * mean).sum() / mean.sum()), rtol=1e-8)
        assert (got[n] * (x - other)).sum() == pytest.approx((dy[n] * (p - q)).sum(), abs=1e-12)


@pytest.mark.parametrize("kind", [nn.Softmax, nn.LogSoftmax, nn.Softmin])
def test_logits_that_lie_far_apart_are_complete_in_float32(kind):
    net = nn.Sequential(nn.Flatten(), kind(-1))
    images = np.random.default_rng(2).normal(0, 40, (6, 1, 1, 6)).astype(np.float32)
    model = crosslens.wrap(net, preprocess=None, input_shape=crosslens.InputSpec((1, 1, 6), bounds=(-300.0, 300.0)))
    dy = np.tile(np.random.default_rng(1).normal(size=(3, 6)), (2, 1)).astype(np.float32)
    pull = model.modified(slope="secant").vjp(images, {OUTPUT: dy}, capture=[OUTPUT])
    target = (pull.activations[OUTPUT] * dy).sum(axis=1, dtype=np.float64)
    shares = (pull.gradients[INPUT][:3].astype(np.float64) * (images[:3] - images[3:])).reshape(3, -1).sum(axis=1)
    np.testing.assert_allclose(shares, target[:3] - target[3:], atol=1e-5 * max(1, np.abs(target).max()))


def test_layer_norm_is_mean_square_root_and_product(pairs):
    net = nn.Sequential(nn.Flatten(), nn.LayerNorm(6)).double()
    images = pairs[:, :1, :1]
    model = crosslens.wrap(net, preprocess=None, input_shape=crosslens.InputSpec((1, 1, 6), bounds=(-9.0, 9.0)))
    dy = np.random.default_rng(1).normal(size=(6, 6))
    got = model.modified(slope="secant").vjp(images, {OUTPUT: dy}).gradients[INPUT].reshape(6, 6)
    for n in range(6):
        d, other = (v - v.mean() for v in (images[m].astype(np.float64).ravel() for m in (n % 3, n % 3 + 3)))
        v, w = (d**2).mean() + 1e-5, (other**2).mean() + 1e-5
        slope = (1 / sqrt(v) - 1 / sqrt(w)) / (v - w)
        at_variance = (dy[n] * (d + other) / 2).sum() * slope
        at_d = dy[n] * (1 / sqrt(v) + 1 / sqrt(w)) / 2 + at_variance * (d + other) / 6
        np.testing.assert_allclose(got[n], at_d - at_d.mean(), rtol=1e-8)


def images_of(*values):
    return np.asarray(values, np.float32)


def test_a_rectifier_is_what_captum_publishes():
    """captum, tests/attr/test_deeplift_basic.py: ReLUDeepLift at (1, 2), references 0."""

    class Rectified(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x):
            first, second = x[:, 0], x[:, 1]
            return (2 * functional.relu(first) + 2 * functional.relu(second - 1.5)).flatten(1) * self.scale

    spec = crosslens.InputSpec((2, 1, 1), bounds=(-4.0, 4.0))
    model = crosslens.wrap(Rectified(), preprocess=None, input_shape=spec).modified(slope="secant")
    x = images_of([1, 2], [0, 0]).reshape(2, 2, 1, 1)
    shares = model.vjp(x, {OUTPUT: np.ones((2, 1), np.float32)}).gradients[INPUT][:1] * (x[:1] - x[1:])
    np.testing.assert_allclose(shares.ravel(), [2.0, 1.0])


def test_each_half_of_a_difference_goes_to_the_larger_one_s_own_maximum(pairs):
    net = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.MaxPool2d(2), nn.Flatten()).double()
    net[0].weight.data = torch.eye(4, dtype=torch.float64)[:, :, None, None]
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS).modified(slope="secant")
    dy = np.random.default_rng(1).normal(size=(6, 36))
    got = model.vjp(pairs, {OUTPUT: dy}).gradients[INPUT]
    x = pairs.astype(np.float64)
    expected = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(6, 4, 3, 3):
        window = np.s_[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        image, reference = x[n % 3][window], x[n % 3 + 3][window]
        rise = image.max() - reference.max()
        seed = dy[n].reshape(4, 3, 3)[c, i, j]
        share = (image == image.max()) * seed * max(rise, 0) + (reference == reference.max()) * seed * min(rise, 0)
        expected[n][window] = share / (image - reference)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_relu_multipliers_are_what_deeplift_publishes():
    """kundajelab/deeplift: W = [1 2 3 4], b = -1, references 0: inputs of ones and twos have .9 w and .95 w."""
    dense = nn.Linear(4, 1)
    dense.weight.data, dense.bias.data = torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([-1.0])
    net = nn.Sequential(nn.Flatten(), dense, nn.ReLU())
    spec = crosslens.InputSpec((4, 1, 1), bounds=(-4.0, 4.0))
    model = crosslens.wrap(net, preprocess=None, input_shape=spec).modified(slope="secant")
    x = images_of([1] * 4, [2] * 4, [0] * 4, [0] * 4).reshape(4, 4, 1, 1)
    got = model.vjp(x, {OUTPUT: np.ones((4, 1), np.float32)}).gradients[INPUT].reshape(4, 4)
    np.testing.assert_allclose(got[:2], np.outer([0.9, 0.95], [1, 2, 3, 4]), rtol=1e-6)


@pytest.mark.parametrize("decomposed", [False, True])
def test_exported_programs_are_complete(pairs, decomposed):
    torch.manual_seed(0)
    parts = nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4), nn.ELU(), nn.MaxPool2d(2), Attend(False), nn.LayerNorm(4)
    net = nn.Sequential(*parts, nn.GELU(), nn.Softmax(1), nn.Flatten(), nn.Linear(16, 3)).eval()
    program = torch.export.export(net, (torch.zeros(2, *SIZE),), dynamic_shapes=({0: torch.export.Dim("n")},))
    program = program.run_decompositions() if decomposed else program
    got, output, model = multipliers(program, pairs, np.ones((6, 3), np.float32))
    shares = (got[:3] * np.subtract(*halves(pairs))).sum((1, 2, 3))
    np.testing.assert_allclose(shares, np.subtract(*halves(output)).sum(1), rtol=1e-4, atol=1e-5)
    assert model.caveats() == ()


@pytest.mark.parametrize("size", [2, 4])
def test_a_program_for_a_fixed_batch_keeps_pairs_together(pairs, size):
    net = Between(nn.Sequential(nn.GELU(), nn.MaxPool2d(2), nn.Softmax(1))).eval()
    program = torch.export.export(net, (torch.zeros(size, *SIZE),))
    dy = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    (expected, _, _), (got, output, _) = (multipliers(each, pairs, dy) for each in (net, program))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(output, net(torch.from_numpy(pairs)).detach(), rtol=1e-4, atol=1e-6)


def test_a_program_for_one_image_is_refused():
    program = torch.export.export(Between(nn.GELU()).eval(), (torch.zeros(1, *SIZE),))
    with pytest.raises(crosslens.errors.ModelError, match="takes 1 image; export it for an even number, or for any"):
        crosslens.wrap(program, preprocess=None, input_shape=BOUNDS).modified(slope="secant")


def test_what_has_no_secant_keeps_its_derivative_and_is_named(pairs):
    net = Between(lambda x: torch.cumprod(x.tanh(), 1) + x.sort(1).values)
    _, _, model = multipliers(net, pairs)
    (text,) = model.caveats()
    assert text.startswith("operators cumprod, sort have no secant")


def test_a_choice_by_another_value_is_named(pairs):
    _, _, model = multipliers(Between(lambda x: torch.where(x.flip(1) > 0, x, x.roll(1, 1))), pairs)
    (text,) = model.caveats()
    assert text.startswith("operator where has no secant and keeps its derivative")
