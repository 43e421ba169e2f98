"""Random networks and networks that mix a batch, on each backend: the layer is named, no image sees another."""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens.model import OUTPUT
from crosslens.model.repeatability import repeatability

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 0.4, (8, 3, 3, 3)).astype(np.float32)
HEAD = RNG.normal(0, 1.0, (5, 8)).astype(np.float32)
IMAGES = RNG.random((3, 3, 16, 16)).astype(np.float32)


def torch_net(kind):
    import torch
    from torch import nn
    from torch.nn import functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 8, 3, bias=False), nn.Linear(8, 5, bias=False)
            self.conv.weight.data, self.fc.weight.data = torch.from_numpy(KERNEL), torch.from_numpy(HEAD)
            self.middle = nn.BatchNorm2d(8, track_running_stats=False) if kind == "mixing" else Noisy()

        def forward(self, x):
            return self.fc(functional.relu(self.middle(self.conv(x))).mean((2, 3)))

    class Noisy(nn.Module):
        def forward(self, x):
            return functional.dropout(x, 0.5, training=kind == "random")

    return Net().eval()


def keras_net(kind):
    import keras
    from keras import layers, ops

    class Middle(layers.Layer):
        def call(self, x):
            if kind == "mixing":
                return x - ops.mean(x, axis=0, keepdims=True) / 2
            return x + keras.random.normal(ops.shape(x), stddev=0.3) if kind == "random" else x

    x = keras.Input((16, 16, 3))
    y = layers.ReLU(name="act")(Middle(name="middle")(layers.Conv2D(8, 3, use_bias=False, name="conv")(x)))
    net = keras.Model(x, layers.Dense(5, use_bias=False, name="fc")(layers.GlobalAveragePooling2D()(y)))
    net.get_layer("conv").set_weights([KERNEL.transpose(2, 3, 1, 0)])
    net.get_layer("fc").set_weights([HEAD.T])
    return net


def onnx_net(kind):
    from onnx import TensorProto, helper, numpy_helper

    middle = {
        "mixing": [("ReduceMean", ["conv"], "mean", {"axes": [0]}), ("Sub", ["conv", "mean"], "middle", {})],
        "random": [
            ("RandomNormalLike", ["conv"], "noise", {"scale": 0.5}),
            ("Add", ["conv", "noise"], "middle", {}),
        ],
        "constant noise": [
            ("RandomNormal", [], "noise", {"shape": [1, 8, 14, 14], "scale": 0.5}),
            ("Add", ["conv", "noise"], "middle", {}),
        ],
        "sound": [("Identity", ["conv"], "middle", {})],
    }[kind]
    steps = [("Conv", ["image", "kernel"], "conv", {}), *middle, ("Relu", ["middle"], "act", {})]
    steps += [("GlobalAveragePool", ["act"], "pool", {}), ("Flatten", ["pool"], "flat", {})]
    steps += [("Gemm", ["flat", "head"], "fc", {"transB": 1})]
    nodes = [helper.make_node(op, reads, [out], name=out, **attributes) for op, reads, out, attributes in steps]
    ends = [("image", ["N", 3, 16, 16]), ("fc", ["N", 5])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    weights = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(HEAD, "head")]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


BUILD = {"torch": torch_net, "keras": keras_net, "onnx": onnx_net}


def wrapped(backend, kind, **options):
    return crosslens.wrap(BUILD[backend](kind), preprocess=None, input_shape=(3, 16, 16), **options)


@cache
def shared(backend, kind):
    return wrapped(backend, kind)


@pytest.fixture(params=BUILD)
def backend(request):
    return request.param


def test_a_sound_network_is_repeatable(backend):
    found = repeatability(shared(backend, "sound"))
    assert found.repeatable is True
    assert found.notes == ()


@pytest.mark.parametrize(("backend", "kind"), [*((each, "random") for each in BUILD), ("onnx", "constant noise")])
def test_noise_is_found_where_it_comes_in(backend, kind):
    net = shared(backend, kind)
    found = repeatability(net)
    layers = [found.random_at, found.mixed_at]
    assert any(each is not None and ("middle" in each or "noise" in each) for each in layers)
    result = crosslens.method("gradient")(net, IMAGES, 1)
    assert any(f"{max(filter(None, layers))!r}" in note for note in result.notes)
    assert result.provenance["repeatable"] is (found.random_at is None)


def test_images_that_see_each_other_are_found_at_their_layer(backend):
    found = repeatability(shared(backend, "mixing"))
    assert "middle" in found.mixed_at
    assert found.repeatable is True
    assert "mixes the images of a batch" in found.notes[0]


@pytest.mark.parametrize("name", ["gradient", "occlusion", "grad_cam", "integrated_gradients", "rise", "score_cam"])
def test_an_image_of_a_mixing_network_has_the_same_result_in_any_batch(backend, name):
    options = {"occlusion": {"window": 4, "stride": 4}, "rise": {"samples": 9, "cells": 3}}
    options["integrated_gradients"] = {"steps": 5}
    method = crosslens.method(name, **options.get(name, {}))
    together = method(wrapped(backend, "mixing", batch_size=8), IMAGES, 1)
    for n in range(len(IMAGES)):
        alone = method(wrapped(backend, "mixing", batch_size=1), IMAGES[n : n + 1], 1)
        np.testing.assert_allclose(together.values[n], alone.values[0], rtol=1e-5, atol=1e-6)


def test_occlusion_of_batch_normalisation_without_statistics_is_that_of_torch_on_single_images():
    import torch

    net = torch_net("mixing")
    found = crosslens.method("occlusion", window=4, stride=4, fill=0.0)(wrapped("torch", "mixing"), IMAGES, 1).values
    with torch.no_grad():
        for image, values in zip(torch.from_numpy(IMAGES), found, strict=True):
            whole = net(image[None])[0, 1]
            for top in range(0, 16, 4):
                for left in range(0, 16, 4):
                    copy = image[None].clone()
                    copy[:, :, top : top + 4, left : left + 4] = 0
                    fall = float(whole - net(copy)[0, 1])
                    np.testing.assert_allclose(values[top : top + 4, left : left + 4], fall, rtol=1e-3, atol=1e-5)


def test_dropout_called_as_in_training_inside_a_keras_model_is_found():
    import keras
    from keras import layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.drop, self.fc = layers.Conv2D(8, 3), layers.Dropout(0.5), layers.Dense(5)

        def call(self, x):
            return self.fc(keras.ops.mean(self.drop(self.conv(x), training=True), axis=(1, 2)))

    net = Net()
    net(np.zeros((1, 16, 16, 3), np.float32))
    found = repeatability(crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16)))
    assert found.one_by_one
    assert "drop" in (found.random_at or found.mixed_at)


def test_batch_normalisation_of_vectors_without_statistics_is_refused_by_its_layer():
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 4), nn.BatchNorm1d(4, track_running_stats=False)).eval()
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16))
    with pytest.raises(crosslens.errors.ModelError, match=r"first at layer '2', and alone it does not run: .*Expected"):
        crosslens.method("gradient")(model, IMAGES, 1)


def test_a_network_of_one_image_at_a_time_sees_no_company():
    import torch
    from torch import nn

    class Centred(nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True) / 2

    net = nn.Sequential(nn.Conv2d(3, 8, 3), Centred(), nn.Flatten(), nn.Linear(1568, 5))
    program = torch.export.export(net.eval(), (torch.zeros(1, 3, 16, 16),))
    model = crosslens.wrap(program, preprocess=None)
    assert repeatability(model).notes == ()
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT][2:], model.forward(IMAGES[2:])[OUTPUT], rtol=1e-5)
