"""Which layers are the output of a rectifier, and what the rectifier reads, in three frameworks."""

import crosslens
import pytest
import torch
from crosslens.introspection.unit_layers import rectified_layers, rectifier_inputs
from torch import nn

from benchmarks.networks import exported

SHAPE = (3, 16, 16)


class Many(nn.Module):
    """Rectifiers in all forms: modules, one used twice, a function, in place, a clip from 0 and one from -1."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU6())
        self.prelu = nn.PReLU()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = self.block(x)
        x = self.relu(x + 1.0)
        x = nn.functional.leaky_relu(x - 0.5, 0.1)
        x = self.prelu(x - 0.2).mul_(2.0)
        x = torch.clamp(x, min=-1.0)
        x = torch.clamp(x - 0.3, min=0.0)
        return self.fc(x.mean((2, 3)))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Many().eval()


def wrapped(net):
    return crosslens.wrap(net, preprocess=None, input_shape=SHAPE)


def test_torch_names_each_rectifier_once(net):
    model = wrapped(net)
    assert rectified_layers(model) == ("relu", "block.1", "relu#2", "/leaky_relu", "prelu", "/clamp#2")
    assert model.nonlinearities["rectifier"] == 6


def test_what_a_rectifier_reads_is_the_layer_before_it(net):
    before = rectifier_inputs(wrapped(net), ("relu", "block.1", "/clamp#2", "fc"))
    assert before == {"relu": "conv", "block.1": "block.0", "/clamp#2": "/sub#3"}


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
def test_an_exported_file_has_as_many(net, exporter):
    model = wrapped(exported(net, exporter, SHAPE))
    assert len(rectified_layers(model)) == 6


def test_halves_of_a_clip_in_a_file_are_one_rectifier():
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Max", ["x", "zero"], ["low"]),
        helper.make_node("Min", ["low", "six"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, 8, 8]) for n in "xz"]
    numbers = [numpy_helper.from_array(np.float32(v), n) for n, v in (("zero", 0), ("six", 6))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], numbers)
    model = crosslens.wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), preprocess=None)
    assert rectified_layers(model) == ("Min:y", "Relu:z")


def test_keras_layers_that_end_in_one_count():
    import keras

    given = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="a")(given)
    y = keras.layers.Conv2D(4, 3, activation="silu", name="b")(y)
    y = keras.layers.ReLU(max_value=6.0, name="c")(y)
    y = keras.layers.Activation("relu6", name="d")(y)
    y = keras.ops.relu(y)
    y = keras.layers.Dense(3, name="e")(keras.layers.GlobalAveragePooling2D()(y))
    model = crosslens.wrap(keras.Model(given, y), preprocess=None)
    names = rectified_layers(model)
    assert names[:3] == ("a", "c", "d")
    assert len(names) == 4
    before = rectifier_inputs(model, names)
    assert before["a"].startswith("a/")
    assert (before["c"], before["d"]) == ("b", "c")
