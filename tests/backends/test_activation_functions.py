"""A rule for rectifiers on a network that has other activation functions too: the result counts them."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.networks import exported

X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
KINDS = {"HardSwish": nn.Hardswish, "SiLU": nn.SiLU, "GELU": nn.GELU, "ELU": nn.ELU, "Softplus": nn.Softplus}


def network(kind, rectifiers=2):
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 4, 3)]
    for n in range(5):
        parts += [nn.ReLU() if n < rectifiers else KINDS[kind](), nn.Conv2d(4, 4, 3, padding=1)]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), nn.Sigmoid()).eval()


@pytest.mark.parametrize("name", ["guided_backprop", "deconvnet", "guided_grad_cam"])
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_what_keeps_its_own_derivative_is_counted(name, backend):
    net = network("HardSwish")
    model = crosslens.wrap(
        net if backend == "torch" else exported(net, "legacy", (3, 16, 16)), preprocess=None, input_shape=(3, 16, 16)
    )
    (note,) = [note for note in crosslens.method(name)(model, X, 1).notes if "rectifier" in note]
    assert note.startswith("2 rectifiers changed; the network's other activation functions (HardSwish x 3) keep")


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_exporters_files_are_counted_as_the_network(kind, exporter):
    """Exporters write SiLU and HardSwish as products, GELU with Erf."""
    net = network(kind)
    counts = [
        {
            name: n
            for name, n in crosslens.wrap(each, preprocess=None, input_shape=(3, 16, 16)).nonlinearities.items()
            if n
        }
        for each in (net, exported(net, exporter, (3, 16, 16)))
    ]
    assert counts[0] == counts[1] == {"rectifier": 2, kind: 3}


def test_a_network_of_rectifiers_gets_no_note():
    model = crosslens.wrap(network("ELU", 5), preprocess=None, input_shape=(3, 16, 16))
    assert not [note for note in crosslens.method("guided_backprop")(model, X, 1).notes if "rectifier" in note]


def test_functions_and_gates_of_keras_are_counted():
    import keras

    given = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu")(given)
    y = keras.layers.Conv2D(4, 3, activation="silu")(y)
    y = keras.layers.Activation("hard_swish")(y)
    y = keras.ops.relu(keras.layers.ReLU()(y))
    y = keras.ops.silu(y)
    y = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(y))
    model = crosslens.wrap(keras.Model(given, y), preprocess=None)
    assert model.nonlinearities == {"rectifier": 3, "SiLU": 2, "HardSwish": 1}
    (note,) = [note for note in crosslens.method("guided_backprop")(model, X, 1).notes if "rectifier" in note]
    assert note.startswith(
        "3 rectifiers changed; the network's other activation functions (SiLU x 2, HardSwish x 1) keep"
    )
