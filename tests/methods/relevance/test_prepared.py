"""What is found out once for a network is found out again when its weights change, and lets the network go."""

import gc
import weakref

import crosslens
import numpy as np
import pytest
import torch
from torch import nn

X = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
SETTINGS = [
    ("lrp", {}),
    ("deep_lift", {"baseline": "grey"}),
    ("deep_lift", {"baseline": "grey", "rule": "reveal_cancel"}),
    ("excitation_backprop", {"contrast": True}),
]


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 16), nn.ReLU(), nn.Linear(16, 5)
    ).eval()


def wrapped(net):
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8))


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_weights_that_change_in_place_count_at_the_next_call(name, settings):
    net, other = network(0), network(1)
    model, method = wrapped(net), crosslens.method(name, **settings)
    before = method(model, X, 1).values
    net.load_state_dict(other.state_dict())
    after, expected = method(model, X, 1).values, method(wrapped(other), X, 1).values
    assert abs(after - before).max() > 0.01 * abs(before).max()
    np.testing.assert_allclose(after, expected, atol=1e-6 * abs(expected).max())


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_a_network_that_nobody_holds_is_freed(name, settings):
    model = wrapped(network(0))
    crosslens.method(name, **settings)(model, X, 1)
    freed = weakref.ref(model)
    del model
    gc.collect()
    assert freed() is None
