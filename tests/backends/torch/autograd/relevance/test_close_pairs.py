"""slope="secant" in float32 between images and references close to each other: digits that differences would lose."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional

SIZE = (3, 12, 12)
BOUNDS = crosslens.InputSpec(SIZE, bounds=(-9.0, 9.0))
SMOOTH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "softplus": functional.softplus,
    "mish": functional.mish,
    "softsign": functional.softsign,
    "elu": functional.elu,
    "exp": torch.exp,
    "square": torch.square,
    "cube": lambda x: x**3,
    "reciprocal": lambda x: 1 / (x * x + 1),
    "rsqrt": lambda x: (x * x + 1).rsqrt(),
    "sqrt": lambda x: (x * x + 1) ** 0.5,
    "layer norm": lambda x: functional.layer_norm(x, x.shape[1:]),
    "softmax": lambda x: 4 * x.softmax(1),
    "silu written out": lambda x: x * torch.sigmoid(x),
}
PIECES = {
    "leaky relu": lambda x: functional.leaky_relu(x, 0.3),
    "hard sigmoid": functional.hardsigmoid,
    "hard swish": lambda x: functional.hardswish(2 * x),
    "relu": functional.relu,
}


class Convolutions(nn.Module):
    """Three convolutions and the function between; values of about 1."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.function(self.two(self.function(self.one(x))))
        return self.head(x.mean((2, 3)))


def images(distance):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *SIZE))
    return np.concatenate([x, x + distance * random.normal(size=x.shape)]).astype(np.float32)


def map_of(net, batch):
    """Gradients times x - x', (2, 3, 12, 12), and the differences of the outputs they should add up to."""
    model = crosslens.wrap(net, preprocess=None, input_shape=BOUNDS).modified(slope="secant")
    seeds = np.zeros((len(batch), 5))
    seeds[:2, 1] = 1
    pull = model.vjp(batch, {OUTPUT: seeds}, capture=[OUTPUT])
    y = pull.activations[OUTPUT][:, 1].astype(np.float64)
    difference = batch[:2].astype(np.float64) - batch[2:]
    return pull.gradients[INPUT][:2] * difference, y[:2] - y[2:]


@pytest.mark.parametrize("distance", [1e-4, 1e-2, 1])
@pytest.mark.parametrize("form", SMOOTH | PIECES)
def test_float32_gives_the_map_of_float64(form, distance):
    net = Convolutions((SMOOTH | PIECES)[form]).eval()
    batch = images(distance)
    got, _ = map_of(net, batch)
    expected, change = map_of(net.double(), batch)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(got.sum((1, 2, 3)), change, rtol=1e-5, atol=1e-5 * np.abs(got).sum((1, 2, 3)).max())
