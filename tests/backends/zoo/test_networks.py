"""VGG16, mini-Xception and the DCGAN generator: rebuilt in each framework from one file, one result.

Each is held against what its own package ships, run by the framework that the file was made for.
"""

import numpy as np
import pytest

SHAPES = {"vgg16": (3, 240, 240), "xception": (1, 64, 64), "dcgan": (100, 1, 1)}
OWN = {"vgg16": "shipped", "xception": "keras", "dcgan": "torch"}
ELSEWHERE = [
    ("vgg16", "torch"),
    ("vgg16", "keras"),
    ("xception", "torch"),
    ("xception", "dynamo"),
    ("xception", "legacy"),
    ("xception", "tf2onnx"),
    ("dcgan", "keras"),
    ("dcgan", "dynamo"),
    ("dcgan", "legacy"),
]


def given(network):
    """Two inputs of about the size that the network was trained on."""
    return np.random.default_rng(0).normal(size=(2, *SHAPES[network])).astype(np.float32)


@pytest.mark.parametrize(("network", "where"), ELSEWHERE)
def test_outputs_agree_with_the_shipped_file_to_1e_5(network, where, raw, relative):
    x = given(network)
    assert relative(raw(network, OWN[network])(x), raw(network, where)(x)) < 1e-5


@pytest.mark.parametrize(("network", "shape"), [("vgg16", (4,)), ("xception", (7,)), ("dcgan", (3, 64, 64))])
def test_outputs_differ_between_inputs_and_have_the_stated_shape(network, shape, raw):
    y = raw(network, "torch")(given(network))
    assert y.shape == (2, *shape)
    assert np.abs(y[0] - y[1]).max() > 1e-3


def test_the_generators_mean_picture_is_a_face(raw):
    """Aligned faces have a mean that is symmetric left to right, and not upside down (0.96 and 0.50 here)."""
    codes = np.random.default_rng(1).normal(size=(256, *SHAPES["dcgan"])).astype(np.float32)
    mean = raw("dcgan", "torch")(codes).mean(axis=0)
    assert np.corrcoef(mean.ravel(), mean[..., ::-1].ravel())[0, 1] > 0.9
    assert np.corrcoef(mean.ravel(), mean[:, ::-1].ravel())[0, 1] < 0.7


def test_vgg16_names_its_layers_alike_in_torch_and_keras():
    from crosslens.backends.zoo import keras_nets, torch_nets

    names = [name for name, _ in torch_nets.vgg16().named_children()]
    assert names == [layer.name for layer in keras_nets.vgg16().layers[1:]]
    assert [name for name in names if "conv" in name][:3] == ["block1_conv1", "block1_conv2", "block2_conv1"]
