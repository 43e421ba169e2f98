"""Pictures too small for a network's strides: refused in words, whatever the method."""

import numpy as np
import pytest
from crosslens import method, wrap
from crosslens.errors import ImageError

torch = pytest.importorskip("torch")


def five_times_halved():
    torch.manual_seed(0)
    layers, width = [], 3
    for _ in range(5):
        layers += [torch.nn.Conv2d(width, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        width = 4
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 5)]
    return wrap(torch.nn.Sequential(*layers, *head).eval(), preprocess=None, input_shape=(3, None, None))


SMALL = np.full((1, 3, 16, 16), 0.5, np.float32)


@pytest.mark.parametrize(
    ("name", "settings", "images"),
    [
        ("activation_maximisation", {"size": 16}, None),
        ("activation_maximisation", {}, SMALL),
        ("maco", {"size": 16}, None),
        ("accentuation", {"layer": "1"}, SMALL),
        ("style_transfer", {"style": np.full((3, 64, 64), 0.5, np.float32), "style_layers": ("0",)}, SMALL),
    ],
)
def test_a_size_that_a_network_cannot_run_on_is_named_with_one_that_it_can(name, settings, images):
    with pytest.raises(ImageError, match=r"runs on \(3, 224, 224\), but not on images of shape \(1, 3, 16, 16\)"):
        method(name, steps=1, **settings)(five_times_halved(), images, None if name == "style_transfer" else 1)
