"""Every attribution and metric with its defaults on a grey picture of 28 pixels: values that vary, or a refusal."""

from dataclasses import fields
from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError
from crosslens.method import makes_pictures
from crosslens.plugins import image_methods, method_class
from crosslens.result.table import Table
from crosslens.testing.promises.method import values_of

OWN = image_methods()
NAMES = [name for name in OWN if not makes_pictures(method_class(name)) and name != "ablation_cam"]
"""Ablation finds no channel of this network that speaks for the class, and says so."""
PICTURE = np.random.default_rng(0).random((1, 1, 28, 28)).astype(np.float32)
FEW = {"samples": 120, "steps": 3, "stride": 7}
"""What decides how long a method takes; all else stays as it is."""


@cache
def small():
    import torch
    from torch import nn

    torch.manual_seed(0)
    maps = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
    net = nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    return crosslens.wrap(net.eval(), preprocess=None, input_shape=(1, 28, 28))


@pytest.mark.parametrize("name", NAMES)
def test_defaults_fit_a_grey_picture_of_28_pixels(name):
    kind = method_class(name)
    few = {field.name: FEW[field.name] for field in fields(kind) if field.name in FEW}
    method = crosslens.method(name, **few)
    if kind.needs_attention:
        with pytest.raises(LayerError, match="no attention is to be seen"):
            method(small(), PICTURE, 1 if kind.needs_target else None)
        return
    picture = PICTURE if kind.needs_images else None
    result = method(small(), picture, 1 if kind.needs_target else None)
    if isinstance(result, Table):
        return  # its columns are words and pixels
    values = as_numpy(values_of(result))
    assert np.isfinite(values).all()
    assert values.min() < values.max()
