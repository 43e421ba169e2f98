"""A torch network runs as far as the layers that are asked for."""

import crosslens
import numpy as np
import torch
from crosslens import INPUT, OUTPUT
from torch import nn


class Counted(nn.Linear):
    """A layer that knows how often it ran."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def network():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 2, 3, padding=1))
    return nn.Sequential(trunk, nn.ReLU(inplace=True), nn.Flatten(), Counted(2 * 8 * 8, 5)).eval()


def images(size):
    return np.random.default_rng(0).random((2, 3, size, size), np.float32)


def test_values_and_gradients_are_those_of_the_part_that_ran():
    net = network()
    model, x = crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8)), torch.from_numpy(images(8)).requires_grad_()
    wanted = net[0](x)
    dy = np.random.default_rng(1).normal(size=wanted.shape).astype(np.float32)
    (gradient,) = torch.autograd.grad(wanted, x, torch.from_numpy(dy))
    model.forward(images(8))  # the first batch asks once whether images see each other
    net[3].calls = 0
    pull = model.vjp(images(8), {"0": dy}, capture=["0"])
    assert net[3].calls == 0
    np.testing.assert_allclose(pull.activations["0"], wanted.detach(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-5, atol=1e-6)


def test_what_follows_the_last_layer_asked_for_does_not_run():
    net = network()
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8))
    model.forward(images(8))  # the first batch asks once whether images see each other
    net[3].calls = 0
    model.forward(images(8), ["0.1", "0", "1"])
    with model.linearize(images(8), ["1"], wrt=["0.0", INPUT]) as at:
        at.vjp(dict(at.activations))
    assert net[3].calls == 0
    model.forward(images(8), ["1", OUTPUT])
    assert net[3].calls == 1
    assert not any(module._forward_hooks for module in net.modules())
