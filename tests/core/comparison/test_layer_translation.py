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


def wrapped(net):
    return crosslens.wrap(net.eval(), preprocess=None, input_shape=(3, 12, 12))


def without(model, *names):
    """A model that does not show these layers, as another backend may not."""
    model._layers = {name: layer for name, layer in model.layers.items() if name not in names}
    return model


def test_the_first_models_default_layer_is_explained_in_all(images):
    a = wrapped(network("conv1", "act1", "conv2", "act2", "pool", "flat", "fc"))
    b = wrapped(network("eins", "zwei", "drei", "vier", "pool", "flat", "fc"))
    made = crosslens.compare({"a": a, "b": b}, crosslens.method("grad_cam", rectified=False), images)
    assert list(made.layers) == [
        {"method": "grad_cam", "model": "a", "layers": ["act2"], "default": True},
        {"method": "grad_cam", "model": "b", "layers": ["vier"], "default": True},
    ]
    assert made.as_json()["layers"] == list(made.layers)
    assert made.rows()[0]["relative_l2"] == 0
    assert not [note for result in made.results.values() for note in result.notes]


def test_where_the_default_is_missing_in_another_model_the_result_says_that_places_differ(images):
    a = wrapped(network("conv1", "act1", "conv2", "act2", "pool", "flat", "fc"))
    b = without(wrapped(network("eins", "zwei", "drei", "vier", "pool", "flat", "fc")), "vier")
    made = crosslens.compare({"a": a, "b": b}, crosslens.method("layer_cam"), images)
    *_, note = made.results["layer_cam", "b"].notes
    assert note.startswith("another layer is explained here, this model's own default 'drei': layer 'act2' of a has no")
    assert [row["layers"] for row in made.layers] == [["act2"], ["drei"]]


def test_a_models_default_hidden_in_the_first_is_not_taken_in_the_second(images):
    """The first shows no layer after its last convolution, so that in the second the convolution is explained too."""
    a = without(wrapped(network("conv1", "act1", "conv2", "act2", "pool", "flat", "fc")), "act2")
    b = wrapped(network("eins", "zwei", "drei", "vier", "pool", "flat", "fc"))
    made = crosslens.compare({"a": a, "b": b}, crosslens.method("grad_cam", rectified=False), images)
    assert [row["layers"] for row in made.layers] == [["conv2"], ["drei"]]
    assert made.rows()[0]["relative_l2"] == 0


def test_in_a_network_with_a_fault_the_default_is_found_all_the_same(images):
    a = wrapped(network("conv1", "act1", "conv2", "act2", "pool", "flat", "fc"))
    broken = network("eins", "zwei", "drei", "vier", "pool", "flat", "fc")
    with torch.no_grad():
        broken.eins.weight[:, [0, 2]] = broken.eins.weight[:, [2, 0]].clone()
        broken.eins.weight *= 3
    made = crosslens.compare({"a": a, "b": wrapped(broken)}, crosslens.method("grad_cam", rectified=False), images)
    assert [row["layers"] for row in made.layers] == [["act2"], ["vier"]]


@pytest.mark.parametrize("target", ["channel:conv2:3", "channel:drei:3 - 0.5 * channel:drei:0"])
def test_a_target_may_name_a_layer_of_any_of_the_models(models, images, target):
    made = crosslens.compare(models, crosslens.method("gradient"), images, target)
    assert made.rows()[0]["relative_l2"] == 0
    said = {name: made.results["gradient", name].provenance["objective"] for name in "ab"}
    assert "'conv2'" in said["a"]
    assert "'drei'" in said["b"]


def test_metrics_judge_one_place_in_all_models(models, images):
    made = crosslens.compare(models, crosslens.method("insertion", steps=3), images)
    assert [row["layers"] for row in made.layers] == [["act2"], ["vier"]]
