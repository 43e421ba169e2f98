"""A network that normalises its images itself, behind a preset that does so too, is named with what to type."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.introspection.diagnostics import diagnose
from torch import nn

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Net(nn.Module):
    """What `enter` makes of the image, then conv - ReLU - mean - linear."""

    def __init__(self, enter):
        super().__init__()
        self.enter, self.conv, self.fc = enter, nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(self.enter(x)).relu().mean((2, 3)))


def wrapped(enter, way, tmp_path, preprocess):
    net = Net(enter).eval()
    if way == "torch":
        return crosslens.wrap(net, input_shape=(3, 16, 16), preprocess=preprocess)
    torch.onnx.export(net, (torch.zeros(1, 3, 16, 16),), tmp_path / "net.onnx", dynamo=False)
    return crosslens.wrap(tmp_path / "net.onnx", preprocess=preprocess)


def finding(model):
    return next((each for each in diagnose(model) if each.name == "preprocess"), None)


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize(
    ("enter", "right"),
    [(lambda x: (x - MEAN) / STD, "None"), (lambda x: x / 127.5 - 1, "'raw255'"), (lambda x: x / 255, "'raw255'")],
    ids=["imagenet", "tf", "pixels"],
)
def test_arithmetic_on_the_image_behind_a_preset_is_named(way, enter, right, tmp_path):
    found = finding(wrapped(enter, way, tmp_path, "imagenet"))
    assert found.ok is False
    assert "the network itself normalises its images (layer '" in found.detail
    assert found.detail.endswith(f"and preprocess='imagenet' does too; wrap(preprocess={right})")
    assert finding(wrapped(enter, way, tmp_path, {"None": None}.get(right, right.strip("'")))) is None


@pytest.mark.parametrize(
    "enter",
    [nn.Identity(), nn.Dropout(), nn.ReLU(), nn.BatchNorm2d(3), lambda x: x.flip(3), lambda x: x * x, torch.tanh],
    ids=["identity", "dropout", "relu", "batch norm", "flip", "square", "tanh"],
)
def test_what_is_no_normalisation_is_not_called_one(enter, tmp_path):
    assert finding(wrapped(enter, "torch", tmp_path, "imagenet")) is None


def test_numbers_given_and_images_of_pixels_are_known_too():
    net, given = Net(lambda x: (x - MEAN) / STD).eval(), {"mean": [127.0], "std": [128.0]}
    found = finding(crosslens.wrap(net, input_shape=(3, 16, 16), bounds=(0, 255), preprocess=given))
    assert "and the preprocessing given does too" in found.detail
    image = np.zeros((1, 3, 16, 16), np.float32)
    given = {**given, "scale": 255}
    assert crosslens.wrap(net, input_shape=(3, 16, 16), preprocess=given).forward(image)["<output>"].shape == (1, 2)
