"""Kernel rules on torch, against the table's equation written with the dense matrix of each linear map."""

import copy

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT
from crosslens.model import ABSORBED
from crosslens.model.kernel_rules import Branch, KernelRule
from torch import nn

NUMBERS = np.random.default_rng(0)


class Tokens(nn.Module):
    """A dense layer on (N, T, D)."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(6, 4)

    def forward(self, x):
        return self.dense(x.flatten(2).mT)


def one(layer):
    return nn.Sequential(layer)


LAYERS = {
    "convolution": (lambda: one(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)), "0", (4, 6, 5)),
    "dilated": (lambda: one(nn.Conv2d(4, 3, (3, 2), dilation=(1, 2), padding=(0, 1))), "0", (4, 6, 5)),
    "same": (lambda: one(nn.Conv2d(4, 3, 2, padding="same")), "0", (4, 4, 5)),
    "depthwise": (lambda: one(nn.Conv2d(4, 4, 3, groups=4, bias=False)), "0", (4, 5, 5)),
    "transposed": (lambda: one(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, output_padding=1)), "0", (4, 3, 3)),
    "dense": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), "1", (3, 2, 2)),
    "tokens": (Tokens, "dense", (6, 2, 2)),
    "volumes": (lambda: one(nn.Conv3d(3, 4, 2, stride=2)), "0", (3, 4, 4, 2)),
}


def applied(layer, u, kernel):
    """The layer's linear map with another kernel, in the layout of Model.weights."""
    twin = copy.deepcopy(layer)
    weight = torch.as_tensor(kernel)
    if isinstance(layer, nn.ConvTranspose2d):
        groups = weight.chunk(layer.groups)
        weight = torch.cat([each.transpose(0, 1) for each in groups])
    twin.weight.data = weight
    if twin.bias is not None:
        twin.bias.data.zero_()
    with torch.no_grad():
        return twin(u)


def matrix(layer, shape, kernel):
    """The dense matrix (outputs, inputs) of the map, one input at a time."""
    size = int(np.prod(shape))
    columns = applied(layer, torch.eye(size, dtype=torch.float64).reshape(size, *shape), kernel)
    return columns.reshape(size, -1).T.numpy()


def by_channel(values, shape, axis):
    """(channels,) at every position of one image's (C, ...) or (T, C) activations, flat."""
    index = [None] * len(shape)
    index[axis] = slice(None)
    return np.broadcast_to(np.asarray(values)[tuple(index)], shape).reshape(-1)


def from_the_equation(rule, layer, x, dy):
    """dx, and what biases and the stabiliser took, of one image, as core/model/kernel_rules.py defines them."""
    axis = 1 if isinstance(layer, nn.Linear) and x.ndim == 2 else 0
    with torch.no_grad():
        y = layer(torch.from_numpy(x)[None])[0].numpy()
    channels = lambda v: by_channel(v, y.shape, axis)  # noqa: E731
    flat, seed = x.reshape(-1), dy.reshape(-1)
    gain = channels(np.ones(y.shape[axis]) if rule.gain is None else rule.gain)
    shift = channels(np.zeros(y.shape[axis]) if rule.shift is None else rule.shift)
    z = gain * y.reshape(-1) + shift
    relevance = np.array([0 if g == 0 else v * d / g for v, d, g in zip(z, seed, gain, strict=True)])
    sides = {"any": np.ones_like(z), "positive": z > 0, "negative": z < 0}
    dx, bias_took, rest = np.zeros_like(flat), 0.0, relevance.sum()
    kernel = (
        torch.cat([c.transpose(0, 1) for c in layer.weight.chunk(layer.groups)])
        if isinstance(layer, nn.ConvTranspose2d)
        else layer.weight
    )
    gains = np.ones(kernel.shape[0]) if rule.gain is None else rule.gain
    folded = kernel.detach().numpy() * gains.reshape(-1, *[1] * (kernel.ndim - 1))
    for branch in rule.branches:
        kernels = branch.kernels or (("any", folded),)
        output, terms = np.zeros_like(z), []
        for read, values in kernels:
            if isinstance(read, str):
                kept = {"any": flat == flat, "positive": flat > 0, "negative": flat < 0}[read]
                u, factor = flat * kept, (flat if rule.local else 1) * kept
            else:
                u = by_channel(read, x.shape, axis)
                factor = u if rule.local else 0
            dense = matrix(layer, x.shape, values)
            output, terms = output + dense @ u, [*terms, (dense, factor)]
        bias = channels(np.zeros(y.shape[axis]) if branch.bias is None else branch.bias)
        output = output + bias if branch.kernels else z
        below = output + rule.stabiliser * np.where(output < 0, -1, 1)
        share = np.array([0 if b == 0 else a / b for a, b in zip(relevance * sides[branch.side], below, strict=True)])
        for dense, factor in terms:
            dx = dx + branch.weight * factor * (dense.T @ share)
        bias_took += branch.weight * (share * bias).sum()
        rest -= branch.weight * (share * output).sum()
    return dx.reshape(x.shape), np.array([bias_took, rest])


def rules(kernel, out, inputs):
    """Tables of every kind, for a kernel of this shape."""
    plus, minus = np.maximum(kernel, 0), np.minimum(kernel, 0)
    bias, gain, shift = (NUMBERS.normal(size=out) for _ in range(3))
    both = (("positive", plus), ("negative", minus))
    low, high = NUMBERS.normal(size=inputs) - 2, NUMBERS.normal(size=inputs) + 2
    box = (("any", kernel), (low, -plus), (high, -minus))
    return {
        "own": KernelRule((Branch(bias=bias),), 0.25),
        "own, stabiliser 0": KernelRule((Branch(),)),
        "own, gain": KernelRule((Branch(bias=bias),), 0.25, gain, shift),
        "own, local": KernelRule((Branch(),), 0.25, gain, shift, local=True),
        "own, a dead channel": KernelRule((Branch(),), 0.1, np.where(np.arange(out) == 1, 0, gain), shift),
        "a dead channel": KernelRule((Branch(both, bias=bias),), 0.1, np.where(np.arange(out) == 1, 0, gain), shift),
        "positive part": KernelRule((Branch(both, bias=np.maximum(bias, 0)),), 1e-3),
        "alpha and beta": KernelRule(
            (
                Branch(both, 2.0, np.maximum(bias, 0)),
                Branch((("positive", minus), ("negative", plus)), -1.0, np.minimum(bias, 0)),
            ),
            1e-3,
        ),
        "sides": KernelRule(
            (
                Branch((("any", kernel + plus),), 1.0, bias, "positive"),
                Branch((("any", kernel + minus),), 1.0, bias, "negative"),
                Branch(weight=0.5, side="negative"),
            ),
            0.1,
            gain,
            shift,
        ),
        "box": KernelRule((Branch(box),), 1e-3, local=True),
        "constants": KernelRule((Branch(box),), 1e-3),
    }


KINDS = list(rules(np.ones((2, 1)), 2, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("positive", [False, True])
def test_each_table_is_its_equation(name, kind, positive):
    torch.manual_seed(0)
    make, layer, shape = LAYERS[name]
    net = make().double().eval()
    model = crosslens.wrap(net, preprocess=None, input_shape=crosslens.InputSpec(shape, bounds=(-9.0, 9.0)))
    kernel = model.weights(layer)["kernel"]
    part = net.get_submodule(layer)
    inputs = part.in_features if isinstance(part, nn.Linear) else part.in_channels
    rule = rules(kernel, kernel.shape[0], inputs)[kind]
    x = NUMBERS.normal(size=(2, *shape)).astype(np.float32)
    x = np.abs(x) if positive else x
    output = model.forward(x, [layer])[layer]
    dy = NUMBERS.normal(size=output.shape)
    pull = model.modified(kernels={layer: rule}).vjp(x, {layer: dy}, wrt=[INPUT, ABSORBED], capture=[layer])
    np.testing.assert_array_equal(pull.activations[layer], output)
    for n in range(2):
        seen = x[n].reshape(-1) if name == "dense" else x[n].reshape(6, -1).T if name == "tokens" else x[n]
        dx, took = from_the_equation(rule, part, seen.astype(np.float64), dy[n])
        dx = dx.T if name == "tokens" else dx
        np.testing.assert_allclose(pull.gradients[INPUT][n], dx.reshape(shape), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(pull.gradients[ABSORBED][n], took, rtol=1e-8, atol=1e-10)


def test_a_border_that_a_layer_before_makes_is_like_one_of_the_layer_s_own():
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Conv2d(3, 4, 3, padding=(1, 2), stride=2)).double()
    around = nn.Sequential(nn.ZeroPad2d((2, 2, 1, 1)), nn.Conv2d(3, 4, 3, stride=2)).double()
    around[1].load_state_dict(inside[0].state_dict())
    kernel = inside[0].weight.detach().numpy()
    low, high = np.full(3, -2.0), np.full(3, 3.0)
    box = (Branch((("any", kernel), (low, -kernel.clip(min=0)), (high, -kernel.clip(max=0)))),)
    x = NUMBERS.normal(size=(2, 3, 6, 5)).astype(np.float32)
    gradients = []
    for net, layer, border in ((inside, "0", ()), (around, "1", ((1, 1), (2, 2)))):
        model = crosslens.wrap(net, preprocess=None, input_shape=crosslens.InputSpec((3, 6, 5), bounds=(-9.0, 9.0)))
        dy = np.random.default_rng(0).normal(size=(2, *model.layers[layer].shape[1:]))
        rule = KernelRule(box, 1e-3, local=True, border=border)
        gradients.append(model.modified(kernels={layer: rule}).vjp(x, {layer: dy}).gradients[INPUT])
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-9)
