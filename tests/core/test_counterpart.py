"""A layer named in one model is found in another that calls it otherwise."""

from collections import OrderedDict

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError


def network(*names):
    torch.manual_seed(0)
    parts = [torch.nn.Conv2d(3, 4, 3), torch.nn.Softplus(), torch.nn.Conv2d(4, 5, 3), torch.nn.Softplus()]
    ends = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(5, 3)]
    return torch.nn.Sequential(OrderedDict(zip(names, [*parts, *ends], strict=True))).eval()


@pytest.fixture
def models():
    ends = ("pool", "flat", "fc")
    nets = {"a": network("conv1", "act1", "conv2", "act2", *ends), "b": network("eins", "zwei", "drei", "vier", *ends)}
    return {name: crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12)) for name, net in nets.items()}


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 3, 12, 12)).astype(np.float32)


@pytest.mark.parametrize("layer", ["conv1", "drei", ("conv1", "act2")])
def test_a_layer_may_be_named_in_any_of_the_models(models, images, layer):
    made = crosslens.compare(models, crosslens.method("grad_cam", layer=layer), images)
    (row,) = made.rows()
    assert row["relative_l2"] == 0
    named = {"conv1": "eins", "conv2": "drei", "act2": "vier"}
    theirs = {name: made.results["grad_cam", name].parameters["layer"] for name in "ab"}
    pairs = [theirs.values()] if isinstance(layer, str) else zip(theirs["a"], theirs["b"], strict=True)
    assert all(named[a] == b for a, b in pairs)


def test_a_layer_that_no_model_has_is_refused(models, images):
    with pytest.raises(LayerError, match="no layer 'conv3' in this model"):
        crosslens.compare(models, crosslens.method("grad_cam", layer="conv3"), images)
