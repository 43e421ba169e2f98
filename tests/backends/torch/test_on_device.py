"""Where tensors live on a device, the loop of a synthesis leaves them there: shown here with the CPU as the device."""

from collections import Counter

import crosslens
import numpy as np
import pytest
import torch
from crosslens import method
from crosslens.backends.torch import tensors
from crosslens.backends.torch.model import TorchModel
from crosslens.objective import channel, match
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


RULES = ("decay:0.01", "blur:0.5:1", "bilateral:1:0.2:1", "clip_norm:10:1", "clip_contribution:10:1")
GRADIENTS = ("blur_gradient:1", "laplacian:2")
RUNS = {
    "style_transfer": (None, {"style": picture(1)[0], "optimiser": "adam"}),
    "style_transfer, L-BFGS": (None, {"style": picture(1)[0]}),
    "activation_maximisation": (channel("3", 2), {}),
    "activation_maximisation, rules": (channel("3", 2), {"rules": (*RULES, *GRADIENTS), "noise": 0.05, "shared": 4}),
    "activation_maximisation, pyramid": (channel("3", 2), {"parameterisation": "pyramid", "bound": "clip"}),
    "class_maximisation": (1, {"decay": 0.1}),
    "feature_inversion": (None, {"optimiser": "adam", "layer": "4"}),
    "feature_inversion, L-BFGS": (None, {"layer": "4"}),
    "texture_synthesis": (None, {"texture_layers": ("1", "4")}),
    "caricature": (None, {"layer": "4"}),
    "accentuation": (1, {"layer": "4", "crops": 2}),
    "deep_dream": (None, {"layer": "4", "size": 24, "octaves": 1, "jitter": 2}),
}
FROM_NOISE = {
    "activation_maximisation": (channel("3", 2), {}),
    "class_maximisation": (1, {"decay": 0.1}),
    "channel_grid": (None, {"layer": "3", "count": 2}),
    "diversity": (1, {"count": 2, "layer": "4"}),
    "interpolation": (None, {"layer": "3", "count": 2}),
    "maco": (1, {"crops": 2}),
}


def wrapped():
    model = crosslens.wrap(network(), preprocess="imagenet", input_shape=(3, 24, 24))
    assert model.digest  # reads the weights, once and for all
    return model


@pytest.mark.parametrize("name", RUNS)
def test_no_step_moves_an_array_to_the_host(name, left):
    target, settings = RUNS[name]
    few, kind = leaving(left, name, target, settings, picture(0), 2)
    many, _ = leaving(left, name, target, settings, picture(0), 7)
    assert kind is Tensor
    assert many == few


def leaving(left, name, target, settings, images, steps):
    """How many arrays left, and in what kind the pictures came back."""
    model = wrapped()
    left.clear()
    made = method(name.partition(",")[0], steps=steps, **settings)(model, images, target)
    return sum(left.values()), type(made.images)


@pytest.mark.parametrize("name", FROM_NOISE)
def test_nor_does_one_that_starts_from_noise_which_comes_back_as_numpy(name, left):
    target, settings = FROM_NOISE[name]
    few, kind = leaving(left, name, target, settings, None, 2)
    many, _ = leaving(left, name, target, settings, None, 7)
    assert kind is np.ndarray
    assert many == few


def test_nor_does_one_from_a_numpy_picture_unless_it_stayed_on_the_host(left, monkeypatch):
    given = ("activation_maximisation", 1, {}, picture(0).numpy())
    few, many = (leaving(left, *given, steps) for steps in (2, 7))
    assert few == many
    assert many[1] is np.ndarray
    monkeypatch.setattr(TorchModel, "placed", lambda self, x: x)
    few, many = (leaving(left, *given, steps) for steps in (2, 7))
    assert few < many


def test_a_step_frees_the_graph_on_its_way_back_for_what_is_kept_is_allocated_anew(monkeypatch):
    kept, own, model = [], torch.autograd.grad, wrapped()
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: (kept.append(k.get("retain_graph")), own(*a, **k))[1])
    target = (1.0 * channel("3", 2)) - 0.1 * match("4", np.zeros((1, 6, 12, 12), np.float32))
    method("activation_maximisation", steps=3)(model, None, target)
    assert kept == [False] * 3
