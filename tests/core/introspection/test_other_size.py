"""A network at a smaller size: the same values as the framework gives there, or the network itself."""

import pickle

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens.introspection.other_size import network_of_size
from crosslens.testing import TinyModel
from onnx import TensorProto, helper, numpy_helper
from torch import nn


def strided(pads, flat):
    """Two convolutions of stride 2, then pooling, or a Reshape to a fixed size, and a dense layer."""
    rng = np.random.default_rng(0)
    shapes = {"a": (4, 3, 3, 3), "b": (5, 4, 3, 3), "w": (flat or 5, 2)}
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    weights |= {"shape": np.array([-1, flat or 5], np.int64)}
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["conv1"], strides=[2, 2], pads=pads),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("Conv", ["relu1", "b"], ["conv2"], strides=[2, 2], pads=pads),
        helper.make_node("Identity" if flat else "GlobalAveragePool", ["conv2"], ["pool"]),
        helper.make_node("Reshape", ["pool", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "strided",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return crosslens.wrap(model, preprocess="none"), weights


def in_torch(x, weights, pads):
    """The same by torch, which knows no declared size."""
    x = torch.from_numpy(x)
    for name in ("a", "b"):
        x = nn.functional.conv2d(
            nn.functional.pad(x.relu() if name == "b" else x, (pads[1], pads[3], pads[0], pads[2])),
            torch.from_numpy(weights[name]),
            stride=2,
        )
    return x.numpy()


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 0, 1, 1)])
def test_an_onnx_network_runs_at_the_least_size_that_its_maps_divide(pads):
    model, weights = strided(list(pads), 0)
    small = network_of_size(model, 5, ["conv2", "y"])
    assert small.input.shape == (3, 8, 8)
    x = np.random.default_rng(1).random((2, 3, 8, 8), np.float32)
    np.testing.assert_allclose(small.forward(x, ["conv2"])["conv2"], in_torch(x, weights, pads), atol=1e-5)
    assert small.layer("conv2").shape == (None, 5, 2, 2)
    assert model.input.shape == (3, 16, 16)
    assert model.layer("conv2").shape == (None, 5, 4, 4)
    ones = {"y": np.ones((2, 2), np.float32)}
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(small)).vjp(x, ones).gradients["<input>"], small.vjp(x, ones).gradients["<input>"]
    )


def test_a_network_that_takes_no_other_size_stays_itself():
    model, _ = strided([1, 1, 1, 1], 80)
    assert network_of_size(model, 8, ["y"]) is model
    assert network_of_size(model, 8, ["conv2"]).input.shape == (3, 8, 8)
    assert network_of_size(model, 16, ["conv2"]) is model
    assert network_of_size(model, 200, ["conv2"]) is model


def test_a_torch_network_runs_at_a_smaller_size():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    model = crosslens.wrap(net, preprocess="none", input_shape=(3, 16, 16))
    small = network_of_size(model, 7, ["1", "4"])
    x = np.random.default_rng(1).random((2, 3, 8, 8), np.float32)
    assert small.input.shape == (3, 8, 8)
    np.testing.assert_allclose(small.forward(x, ["4"])["4"], net(torch.from_numpy(x)).detach().numpy(), atol=1e-6)


def test_a_tiny_model_at_another_size_has_the_layers_of_that_size():
    small = network_of_size(TinyModel(size=16), 5, ["act2", "fc"])
    assert small.input.shape == (3, 5, 5)
    assert small.layer("act2").shape == (None, 6, 5, 5)
