"""Where tensors live on a device, the loop of a synthesis leaves them there: shown here with the CPU as the device."""

from collections import Counter

import crosslens
import numpy as np
import pytest
import torch
from crosslens import method
from crosslens.backends.torch import tensors
from crosslens.objective import channel
from torch import Tensor, nn

LEAVING = ("cpu", "numpy", "tolist", "__array__", "__dlpack__")
"""All ways by which the values of a tensor get to the host, but for single numbers by `item`, `float` and `bool`."""


@pytest.fixture
def left(monkeypatch):
    """Counts tensors of more than one number that leave; every tensor counts as one on a device."""
    counted = Counter()

    def counting(name):
        own = getattr(Tensor, name)

        def leave(self, *args, **kwargs):
            counted[name] += self.numel() > 1
            return own(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, leave)

    for name in LEAVING:
        counting(name)
    monkeypatch.setattr(tensors, "stays_on_gpu", lambda x: isinstance(x, Tensor))
    return counted


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 12 * 12, 5),
    ).eval()


def picture(seed):
    return torch.from_numpy(np.random.default_rng(seed).random((1, 3, 24, 24), np.float32))


RUNS = {
    "style_transfer": (None, {"style": picture(1)[0], "optimiser": "adam"}),
    "activation_maximisation": (channel("3", 2), {}),
    "class_maximisation": (1, {"decay": 0.1}),
    "feature_inversion": (None, {"optimiser": "adam", "layer": "4"}),
}


@pytest.mark.parametrize("name", RUNS)
def test_no_step_moves_an_array_to_the_host(name, left):
    target, settings = RUNS[name]
    model = crosslens.wrap(network(), preprocess="imagenet", input_shape=(3, 24, 24))
    assert model.digest  # reads the weights, once and for all

    def leaving(images, steps):
        left.clear()
        made = method(name, steps=steps, **settings)(model, images, target)
        return sum(left.values()), type(made.images)

    few, kind = leaving(picture(0), 2)
    many, _ = leaving(picture(0), 7)
    assert kind is Tensor
    assert many == few
    assert leaving(picture(0).numpy(), 7)[0] > leaving(picture(0).numpy(), 2)[0]  # on the host, each step does
