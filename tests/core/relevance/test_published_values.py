"""Values that the tests of captum publish for LRP (captum/tests/attr/test_lrp.py), on the same small networks."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn


class OneConv(nn.Module):
    """captum's BasicModel_ConvNet_One_Conv."""

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1, self.fc1, self.relu2 = nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(8, 4), nn.ReLU()
        self.conv1.weight.data.fill_(1)
        self.conv1.bias.data = torch.tensor([-50.0, -75.0])
        self.fc1.weight.data = torch.tensor([1.0] * 5 + [-1.0] * 3).repeat(4, 1)
        self.fc1.bias.data.zero_()

    def forward(self, x):
        return self.relu2(self.fc1(self.relu1(self.conv1(x)).flatten(1)))


def dense(inputs, outputs, value):
    layer = nn.Linear(inputs, outputs, bias=False)
    layer.weight.data.fill_(value)
    return layer


class Skip(nn.Module):
    """A dense layer, and its input added to its output."""

    def __init__(self):
        super().__init__()
        self.linear = dense(2, 2, 5.0)

    def forward(self, x):
        x = x.flatten(1)
        return self.linear(x) + x


def simple(first_weight=2.0):
    net = nn.Sequential(nn.Flatten(), dense(3, 3, 2.0), nn.ReLU(), dense(3, 1, 3.0))
    net[1].weight.data[0, 0] = first_weight
    return net


def relevance(net, x, target=0, **settings):
    """Of each value of a picture of one row."""
    x = np.asarray(x, np.float32).reshape(1, 1, -1 if np.ndim(x) == 2 else 1, np.shape(x)[-1])
    model = crosslens.wrap(net.eval(), preprocess=None, input_shape=x.shape[1:], bounds=(0.0, 15.0))
    method = crosslens.method("lrp", composite="epsilon", epsilon=1e-9, per_channel=True, **settings)
    return np.asarray(method(model, x, target=target).values)[0, 0]


def test_one_convolution_and_a_dense_layer():
    want = [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11], [0, 0, 0, 0]]
    np.testing.assert_allclose(relevance(OneConv(), np.arange(16).reshape(4, 4)), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("first_weight", "rules", "want"),
    [
        (2.0, (), [18, 36, 54]),
        (-2.0, ("1=gamma:1",), [28 / 3, 104 / 3, 52]),
        (-2.0, ("1=alpha_beta:1:0",), [12, 33.6, 50.4]),
        (-2.0, ("1=z_plus",), [12, 33.6, 50.4]),
    ],
)
def test_two_dense_layers(first_weight, rules, want):
    np.testing.assert_allclose(relevance(simple(first_weight), [1, 2, 3], rules=rules)[0], want, rtol=1e-5)


def test_a_skip_connection():
    np.testing.assert_allclose(relevance(Skip(), [2, 3], target=1)[0], [10, 18], rtol=1e-6)


def test_a_hyperbolic_tangent_passes_relevance_unchanged():
    net = nn.Sequential(nn.Flatten(), dense(3, 3, 0.1), nn.Tanh(), dense(3, 1, 0.1))
    np.testing.assert_allclose(relevance(net, [1, 2, 3])[0], [0.0269, 0.0537, 0.0806], atol=5e-5)
