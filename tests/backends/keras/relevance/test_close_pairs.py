"""slope="secant" in float32 between images and references close to each other: as torch's in float64."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional

A, L = keras.activations, keras.layers
SIZE = (3, 12, 12)
FUNCTIONS = {
    "sigmoid": (A.sigmoid, torch.sigmoid),
    "tanh": (A.tanh, torch.tanh),
    "erf": (tf.math.erf, torch.erf),
    "gelu": (lambda x: A.gelu(x, approximate=False), functional.gelu),
    "gelu by tanh": (lambda x: A.gelu(x, approximate=True), lambda x: functional.gelu(x, approximate="tanh")),
    "silu": (A.silu, functional.silu),
    "softplus": (A.softplus, functional.softplus),
    "mish": (A.mish, functional.mish),
    "softsign": (A.softsign, functional.softsign),
    "elu": (A.elu, functional.elu),
    "selu": (A.selu, functional.selu),
    "exp": (tf.exp, torch.exp),
    "leaky relu": (lambda x: A.leaky_relu(x, 0.3), lambda x: functional.leaky_relu(x, 0.3)),
    "hard sigmoid": (A.hard_sigmoid, functional.hardsigmoid),
    "hard swish": (lambda x: A.hard_silu(2 * x), lambda x: functional.hardswish(2 * x)),
    "softmax": (lambda x: 4 * tf.nn.softmax(x), lambda x: 4 * x.softmax(1)),
    "log softmax": (tf.nn.log_softmax, lambda x: x.log_softmax(1)),
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


def keras_network(net, function):
    image = keras.Input((12, 12, 3))
    x = L.Activation(function)(L.Conv2D(8, 3, padding="same", name="one")(image))
    x = L.Activation(function)(L.Conv2D(8, 3, padding="same", name="two")(x))
    made = keras.Model(image, L.Dense(5, name="head")(L.GlobalAveragePooling2D()(x)))
    for name, axes in {"one": (2, 3, 1, 0), "two": (2, 3, 1, 0), "head": (1, 0)}.items():
        layer = getattr(net, name)
        made.get_layer(name).set_weights([layer.weight.detach().numpy().transpose(axes), layer.bias.detach().numpy()])
    return crosslens.wrap(made, preprocess=None, input_shape=SIZE)


def map_of(model, batch):
    """Gradients times x - x', (2, 3, 12, 12), and the differences of the outputs they should add up to."""
    seeds = np.zeros((len(batch), 5), np.float32)
    seeds[:2, 1] = 1
    pull = model.modified(slope="secant").vjp(batch, {OUTPUT: seeds}, capture=[OUTPUT])
    y = pull.activations[OUTPUT][:, 1].astype(np.float64)
    return pull.gradients[INPUT][:2] * (batch[:2].astype(np.float64) - batch[2:]), y[:2] - y[2:]


@pytest.mark.parametrize("form", FUNCTIONS)
def test_float32_gives_torch_s_map_of_float64(form):
    ours, torchs = FUNCTIONS[form]
    net = Convolutions(torchs).eval()
    model = keras_network(net, ours)
    by_torch = crosslens.wrap(net.double(), preprocess=None, input_shape=SIZE)
    for distance in (1e-4, 1e-2, 1):
        random = np.random.default_rng(0)
        x = random.normal(size=(2, *SIZE))
        batch = np.concatenate([x, x + distance * random.normal(size=x.shape)]).astype(np.float32)
        got, _ = map_of(model, batch)
        expected, change = map_of(by_torch, batch)
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max(), err_msg=str(distance))
        rounding = 1e-5 * np.abs(got).sum((1, 2, 3)).max()
        np.testing.assert_allclose(got.sum((1, 2, 3)), change, rtol=1e-5, atol=rounding)
