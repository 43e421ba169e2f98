"""A kernel rule reaches the call that its layer is, however the network makes it."""

import copy
from functools import partial

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import LayerError
from crosslens.model import ABSORBED
from crosslens.model.kernel_rules import Branch, KernelRule
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

SIZE = (3, 6, 6)
EPSILON = KernelRule((Branch(),), 0.25)
BOUNDS = crosslens.InputSpec(SIZE, bounds=(-9.0, 9.0))


def positive(kernel, bias=None):
    """Positive contributions alone."""
    plus, minus = np.maximum(kernel, 0), np.minimum(kernel, 0)
    bias = None if bias is None else np.maximum(bias, 0)
    return KernelRule((Branch((("positive", plus), ("negative", minus)), bias=bias),), 0.25)


def scaled(dy, z, stabiliser=0.25):
    """The epsilon rule: dy z / stabilised(z)."""
    return dy * z / (z + stabiliser * torch.where(z < 0, -1.0, 1.0))


class Reused(nn.Module):
    """One convolution that runs twice, what follows it in place, one rectifier."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.conv(self.act(self.conv(x))))


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(2, *SIZE)).astype(np.float32)


def by_hand(net, images, dy, ruled):
    """The epsilon rule at the first or second call, or at both, one step after the other."""
    x = torch.from_numpy(images).double()
    first = net.conv(x)
    second = net.conv(first.relu())
    at_second = torch.from_numpy(dy) * (second > 0)
    at_second = scaled(at_second, second) if "conv#2" in ruled else at_second
    back = partial(functional.conv_transpose2d, weight=net.conv.weight, padding=1)
    at_first = back(at_second) * (first > 0)
    at_first = scaled(at_first, first) if "conv" in ruled else at_first
    return back(at_first).detach().numpy()


@pytest.mark.parametrize("ruled", [("conv",), ("conv#2",), ("conv", "conv#2")])
def test_each_call_of_a_module_has_its_own_rule(images, ruled):
    net = Reused().double()
    dy = np.random.default_rng(1).normal(size=images.shape)
    expected = by_hand(net, images, dy, ruled)
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS).modified(kernels=dict.fromkeys(ruled, EPSILON))
    np.testing.assert_allclose(model.vjp(images, {OUTPUT: dy}).gradients[INPUT], expected, rtol=1e-9, atol=1e-12)
    with model.linearize(images, [OUTPUT]) as at:
        for factor in (1, -2):
            got = at.vjp({OUTPUT: factor * dy})[INPUT]
            np.testing.assert_allclose(got, factor * expected, rtol=1e-9, atol=1e-12)


class Checkpointed(Reused):
    reentrant = False

    def forward(self, x):
        return self.act(self.conv(checkpoint(lambda x: self.act(self.conv(x)), x, use_reentrant=self.reentrant)))


class Reentrant(Checkpointed):
    reentrant = True


@pytest.mark.parametrize("kind", [Checkpointed, Reentrant])
def test_checkpoints_change_nothing(images, kind):
    net = kind().double()
    dy = np.random.default_rng(1).normal(size=images.shape)
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS).modified(kernels=dict.fromkeys(["conv"], EPSILON))
    expected = by_hand(net, images, dy, ["conv"])
    np.testing.assert_allclose(model.vjp(images, {OUTPUT: dy}).gradients[INPUT], expected, rtol=1e-9, atol=1e-12)


def test_a_replaced_layer_and_a_target_inside_have_the_rule_above_them(images):
    net = Reused().double()
    dy, given = np.random.default_rng(1).normal(size=(2, *images.shape))
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
    ruled = model.modified(kernels={"conv": EPSILON, "conv#2": EPSILON})
    x = torch.from_numpy(given)
    second = net.conv(x.relu())
    at_second = scaled(torch.from_numpy(dy) * (second > 0), second)
    expected = functional.conv_transpose2d(at_second, net.conv.weight, padding=1) * (x > 0)
    pull = ruled.vjp(images, {OUTPUT: dy}, wrt=["conv", ABSORBED], replace={"conv": given})
    np.testing.assert_allclose(pull.gradients["conv"], expected.detach(), rtol=1e-9, atol=1e-12)
    took = (second * torch.from_numpy(dy) * (second > 0) - at_second * second).sum((1, 2, 3)).detach()
    np.testing.assert_allclose(pull.gradients[ABSORBED][:, 1], took, rtol=1e-9)


class Names(nn.Module):
    """Layers of every kind that an exported program writes its own way."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.up, self.wide = nn.ConvTranspose2d(3, 4, 2, groups=1), nn.Conv2d(4, 4, 3, groups=2)
        self.tokens, self.head = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x):
        x = functional.softplus(self.wide(torch.relu(self.up(x))))
        x = torch.tanh(self.tokens(x.flatten(2).mT))
        return self.head(x.mean(1))


def rules_for(model, names):
    weights = {name: model.weights(name) for name in names}
    return {name: positive(each["kernel"], each.get("bias")) for name, each in weights.items()}


@pytest.mark.parametrize("decomposed", [False, True])
def test_an_exported_program_has_the_rules_of_the_network(images, decomposed):
    net = Names().eval()
    program = torch.export.export(net, (torch.zeros(2, *SIZE),), dynamic_shapes=({0: torch.export.Dim("n")},))
    program = program.run_decompositions() if decomposed else program
    dy = np.random.default_rng(1).normal(size=(2, 2)).astype(np.float32)
    pulls = []
    for each in (net, program):
        model = crosslens.wrap(each, preprocess=None, input_shape=BOUNDS)
        ruled = model.modified(kernels=rules_for(model, ["up", "wide", "tokens", "head"]))
        pulls.append(ruled.vjp(images, {OUTPUT: dy}, wrt=[INPUT, ABSORBED]).gradients)
        assert not np.allclose(pulls[-1][INPUT], model.vjp(images, {OUTPUT: dy}).gradients[INPUT], rtol=0.1)
    for name in (INPUT, ABSORBED):
        np.testing.assert_allclose(pulls[1][name], pulls[0][name], rtol=1e-4, atol=1e-6)


def test_weights_that_are_computed_and_half_precision_keep_the_rule(images):
    plain = Names().eval()
    normed = copy.deepcopy(plain)
    for part in (normed.wide, normed.head):
        nn.utils.parametrizations.weight_norm(part)
    dy = np.random.default_rng(1).normal(size=(2, 2)).astype(np.float32)
    got = []
    for net in (plain, normed, copy.deepcopy(plain).bfloat16()):
        model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
        ruled = model.modified(kernels=rules_for(model, ["up", "wide", "tokens", "head"]))
        got.append(ruled.vjp(images, {OUTPUT: dy}).gradients[INPUT])
    np.testing.assert_allclose(got[1], got[0], rtol=1e-3, atol=1e-5)
    assert np.corrcoef(got[2].ravel(), got[0].ravel())[0, 1] > 0.99


class Standardised(nn.Conv2d):
    """A convolution that computes its kernel from its weights, as weight standardisation does."""

    def forward(self, x):
        return functional.conv2d(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)


def test_a_kernel_computed_from_the_weights_takes_rules_of_itself_alone(images):
    torch.manual_seed(0)
    net = nn.Sequential(Standardised(3, 2, 3)).double()
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
    x = torch.from_numpy(images).double().requires_grad_()
    z = net(x)
    dy = np.random.default_rng(1).normal(size=tuple(z.shape))
    (expected,) = torch.autograd.grad(z, x, scaled(torch.from_numpy(dy), z.detach()))
    got = model.modified(kernels={"0": EPSILON}).vjp(images, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-9, atol=1e-12)
    with pytest.raises(LayerError, match="layer '0' does not compute its output by one convolution or product"):
        model.modified(kernels={"0": positive(model.weights("0")["kernel"])})


class Functional(nn.Module):
    """No modules: parameters that functions get, one of them twice, one transposed, one as (in, out)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        shapes = {"first": (3, 3, 3, 3), "up": (3, 2, 2, 2), "dense": (5, 4), "matrix": (4, 2), "bias": (3,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape, dtype=torch.float64) / 3))
        self.grouped = nn.Parameter(torch.randn(6, 1, 2, 2, dtype=torch.float64))

    def forward(self, x):
        x = functional.conv2d(x, self.first, self.bias, padding=1)
        x = functional.conv2d(functional.relu(x), self.first, padding=1)
        x = functional.conv_transpose2d(functional.relu_(x), self.up)
        x = functional.conv_transpose2d(x.repeat(1, 3, 1, 1), self.grouped, groups=3)
        x = torch.tanh(x.flatten(2)).mean(2).repeat(1, 2)[:, :5]
        return torch.tanh(functional.linear(x, self.dense.T)) @ self.matrix


def test_functions_with_parameters_of_the_network_have_kernels_and_rules(images):
    net = Functional()
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
    names = ["/conv2d", "/conv2d#2", "/conv_transpose2d", "/conv_transpose2d#2", "/linear", "/matmul"]
    weights = [model.weights(name) for name in names]
    assert [set(each) for each in weights] == [{"kernel", "bias"}, *[{"kernel"}] * 5]
    expected = [
        net.first,
        net.first,
        net.up.transpose(0, 1),
        net.grouped.reshape(3, 2, 2, 2),
        net.dense.T,
        net.matrix.T,
    ]
    for each, kernel in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(each["kernel"], kernel.detach().numpy())
    dy = np.random.default_rng(1).normal(size=(2, 2))
    plain = model.vjp(images, {OUTPUT: dy}).gradients[INPUT]
    for name, each in zip(names, weights, strict=True):
        rule = KernelRule((Branch((("any", each["kernel"]),), weight=0.5, bias=each.get("bias")),))
        got = model.modified(kernels={name: rule}).vjp(images, {OUTPUT: dy}).gradients[INPUT]
        np.testing.assert_allclose(got, plain / 2, rtol=1e-9)


def test_kernels_of_functions_are_redrawn_in_a_copy(images):
    net = Functional()
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
    before = net.dense.detach().clone()
    redrawn = model.randomised(["/linear"], 0)
    assert torch.equal(net.dense, before)
    kernel = redrawn.weights("/linear")["kernel"]
    assert not np.allclose(kernel, before.T)
    twin = copy.deepcopy(net)
    twin.dense.data = torch.from_numpy(kernel.T.copy())
    np.testing.assert_allclose(redrawn.forward(images)[OUTPUT], twin(torch.from_numpy(images).double()).detach())


class Mixed(Names):
    """Names in bfloat16, by its own forward method."""

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x).float()


@pytest.mark.parametrize("rules", [{"slope": "ratio"}, {"products": "half", "norms": "stop"}, {"slope": "secant"}])
def test_an_autocast_inside_the_network_keeps_the_rules(images, rules):
    dy = np.random.default_rng(1).normal(size=(2, 2)).astype(np.float32)
    got = []
    for net in (Names().eval(), Mixed().eval()):
        model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS)
        kernels = rules_for(model, ["up", "wide", "tokens", "head"]) if "slope" in rules else None
        ruled = model.modified(kernels=kernels, **rules)
        got.append(ruled.vjp(images, {OUTPUT: dy}).gradients[INPUT])
    assert np.corrcoef(got[0].ravel(), got[1].ravel())[0, 1] > 0.98
