"""Images with channels last in memory: where a network takes them, and that its numbers stay torch's own."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.model import INPUT, OUTPUT
from torch import nn


class Plain(nn.Module):
    """Two convolutions; `seen` is how the maps between them lay in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 4, 3)
        self.seen: list[bool] = []

    def forward(self, x):
        x = torch.tanh(self.first(x))
        self.seen.append(x.is_contiguous(memory_format=torch.channels_last))
        return self.last(self.second(x))

    def last(self, maps):
        return maps.flatten(1)


class Viewing(Plain):
    def last(self, maps):
        return maps.view(maps.shape[0], -1)


class Asserting(Plain):
    def last(self, maps):
        assert maps.is_contiguous()
        return maps.flatten(1)


class OfOneImage(Plain):
    """A view that channels last allow for a single image."""

    def last(self, maps):
        return maps.view(maps.shape[0] * 4, -1).exp().sum(1).view(-1, 4)


class ReadingMemory(Plain):
    """Neither refuses channels last nor means the same with it."""

    def last(self, maps):
        return maps.as_strided((maps.shape[0], maps[0].numel()), (maps[0].numel(), 1)) ** 2


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return (3 * dy.reshape(-1) * (x**2).view(-1)).view(x.shape)


class ViewingBackward(Plain):
    def last(self, maps):
        return Cube.apply(maps).flatten(1)


def made(kind):
    torch.manual_seed(0)
    return kind().double().eval()


def images(count):
    return np.random.default_rng(0).random((count, 3, 9, 8), np.float32)


def by_hand(net, x, dy):
    x = torch.from_numpy(x).double().requires_grad_()
    y = net(x)
    return y.detach().numpy(), torch.autograd.grad(y, x, torch.from_numpy(dy))[0].numpy()


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (Plain, True),
        (Viewing, False),
        (Asserting, False),
        (OfOneImage, False),
        (ReadingMemory, False),
        (ViewingBackward, False),
    ],
)
def test_a_network_gets_channels_last_where_it_gives_the_same_that_way(kind, last):
    net = made(kind)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 9, 8))
    for count in (1, 2, 3):
        x = images(count)
        dy = np.random.default_rng(1).normal(size=model.forward(x)[OUTPUT].shape)
        net.seen.clear()
        pull = model.vjp(x, {OUTPUT: dy}, capture=["first", OUTPUT])
        assert net.seen == [last]
        y, gradient = by_hand(net, x, dy)
        np.testing.assert_allclose(pull.activations[OUTPUT], y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-12, atol=1e-12)
        assert pull.activations["first"].flags.c_contiguous
        assert pull.gradients[INPUT].flags.c_contiguous


class Wide(Plain):
    """More numbers in its kernels than in its activations of a few images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 18, 3, stride=4)


def test_few_images_keep_their_layout_where_kernels_are_more_than_they_are_worth():
    net = made(Wide)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 5, 5))
    kernels = sum(p.numel() for p in net.parameters() if p.ndim == 4)
    count = next(n for n in range(1, 99) if n * model.elements >= 2.3 * kernels)
    assert count > 2
    x = np.random.default_rng(0).random((count, 3, 5, 5), np.float32)
    model.forward(x[:2])  # the first batch asks once whether images see each other
    net.seen.clear()
    few, many = model.forward(x[:-1])[OUTPUT], model.forward(x)[OUTPUT]
    assert net.seen == [False, True]
    np.testing.assert_allclose(few, many[:-1], rtol=1e-12, atol=1e-12)


def test_a_single_convolution_is_not_worth_another_layout():
    seen = []
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 9, 8))
    model.forward(images(2))  # the first batch asks once whether images see each other
    net[0].register_forward_hook(lambda _, given, __: seen.append(given[0].is_contiguous()))
    model.forward(images(2))
    assert seen == [True]


def test_a_replaced_activation_gives_what_the_network_gives_from_there():
    net = made(Plain)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 9, 8))
    values = np.random.default_rng(2).normal(size=(2, 5, 9, 8))
    expected = net.second(torch.from_numpy(values).tanh()).flatten(1).detach().numpy()
    for _ in range(6):
        got = model.forward(images(2), replace={"first": values})[OUTPUT]
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    assert values.flags.c_contiguous
