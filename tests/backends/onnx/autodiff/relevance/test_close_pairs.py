"""slope="secant" in float32 between images and references close to each other: as torch's in float64."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from torch import nn
from torch.nn import functional

SIZE = (3, 12, 12)
FUNCTIONS = {
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
    "selu": functional.selu,
    "celu": functional.celu,
    "exp": torch.exp,
    "leaky relu": lambda x: functional.leaky_relu(x, 0.3),
    "hard sigmoid": functional.hardsigmoid,
    "hard swish": lambda x: functional.hardswish(2 * x),
    "softmax": lambda x: 4 * x.softmax(1),
    "log softmax": lambda x: x.log_softmax(1),
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


def exported(net):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(
            net, torch.zeros(1, *SIZE), buffer, dynamo=False, input_names=["x"], opset_version=20,
            dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    return wrap(onnx.load_from_string(buffer.getvalue()), preprocess=None)


def map_of(model, batch):
    """Gradients times x - x', (2, 3, 12, 12), and the differences of the outputs they should add up to."""
    seeds = np.zeros((len(batch), 5), np.float32)
    seeds[:2, 1] = 1
    pull = model.modified(slope="secant").vjp(batch, {OUTPUT: seeds}, capture=[OUTPUT])
    y = pull.activations[OUTPUT][:, 1].astype(np.float64)
    return pull.gradients[INPUT][:2] * (batch[:2].astype(np.float64) - batch[2:]), y[:2] - y[2:]


@pytest.mark.parametrize("distance", [1e-4, 1e-2, 1])
@pytest.mark.parametrize("form", FUNCTIONS)
def test_float32_gives_torch_s_map_of_float64(form, distance):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *SIZE))
    batch = np.concatenate([x, x + distance * random.normal(size=x.shape)]).astype(np.float32)
    net = Convolutions(FUNCTIONS[form]).eval()
    got, _ = map_of(exported(net), batch)
    expected, change = map_of(wrap(net.double(), preprocess=None, input_shape=SIZE), batch)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    np.testing.assert_allclose(got.sum((1, 2, 3)), change, rtol=1e-5, atol=1e-5 * np.abs(got).sum((1, 2, 3)).max())
