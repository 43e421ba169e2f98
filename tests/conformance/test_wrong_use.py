"""Wrong use gets an error or a note on every backend, not a picture: one small network in three frameworks."""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError, ModelError, ParameterError
from crosslens.objective import logit, probability
from crosslens.testing import TinyModel

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 0.4, (4, 3, 3, 3)).astype(np.float32)
HEAD = RNG.normal(0, 1.0, (5, 4)).astype(np.float32)
IMAGES = RNG.random((2, 3, 8, 8)).astype(np.float32)
BACKENDS = ("torch", "keras", "onnx")
POOLED = "pool"


def torch_net(gain, softmax, act):
    import torch
    from torch import nn

    layers = {"conv": nn.Conv2d(3, 4, 3, bias=False), "act": nn.ReLU() if act == "relu" else nn.SiLU()}
    layers |= {POOLED: nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(4, 5, bias=False)}
    layers |= {"softmax": nn.Softmax(1)} if softmax else {}
    net = nn.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    net.conv.weight.data, net.fc.weight.data = torch.from_numpy(KERNEL), torch.from_numpy(gain * HEAD)
    return net.eval()


def keras_net(gain, softmax, act):
    import keras
    from keras import layers

    x = keras.Input((8, 8, 3))
    y = layers.Activation(act, name="act")(layers.Conv2D(4, 3, use_bias=False, name="conv")(x))
    y = layers.Flatten()(layers.GlobalAveragePooling2D(keepdims=True, name=POOLED)(y))
    y = layers.Dense(5, use_bias=False, name="fc", activation="softmax" if softmax else None)(y)
    net = keras.Model(x, y)
    net.get_layer("conv").set_weights([KERNEL.transpose(2, 3, 1, 0)])
    net.get_layer("fc").set_weights([gain * HEAD.T])
    return net


def onnx_net(gain, softmax, act):
    from onnx import TensorProto, helper, numpy_helper

    rectified = (
        [("Relu", ["conv"], "act")] if act == "relu" else [("Sigmoid", ["conv"], "s"), ("Mul", ["conv", "s"], "act")]
    )
    steps = [("Conv", ["image", "kernel"], "conv"), *rectified, ("GlobalAveragePool", ["act"], POOLED)]
    steps += [("Flatten", [POOLED], "flat"), ("Gemm", ["flat", "head"], "fc")]
    steps += [("Softmax", ["fc"], "softmax")] if softmax else []
    nodes = [helper.make_node(op, reads, [out], name=out) for op, reads, out in steps]
    nodes[[n.name for n in nodes].index("fc")].attribute.append(helper.make_attribute("transB", 1))
    ends = [("image", ["N", 3, 8, 8]), (steps[-1][2], ["N", 5])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    weights = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(gain * HEAD, "head")]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@cache
def model(backend, *, gain=1.0, softmax=False, act="relu"):
    build = {"torch": torch_net, "keras": keras_net, "onnx": onnx_net}[backend]
    return crosslens.wrap(build(np.float32(gain), softmax, act), preprocess=None, input_shape=(3, 8, 8))


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


CAMS = ("cam", "grad_cam", "grad_cam_plus_plus", "x_grad_cam", "layer_cam", "hires_cam", "eigen_cam", "score_cam")


@pytest.mark.parametrize("name", [*CAMS, "ablation_cam", "recipro_cam", "guided_grad_cam"])
@pytest.mark.parametrize("layer", [POOLED, "fc"])
def test_a_layer_after_the_pooling_has_no_map(backend, name, layer):
    with pytest.raises(LayerError, match="before the pooling"):
        crosslens.method(name, layer=layer)(model(backend), IMAGES, 1)


def test_the_probability_is_the_softmax_of_logits(backend):
    net = model(backend)
    output = net.forward(IMAGES)[crosslens.OUTPUT].astype(np.float64)
    expected = np.exp(output)[:, 2] / np.exp(output).sum(axis=1)
    np.testing.assert_allclose(crosslens.method("gradient")(net, IMAGES, probability(2)).scores, expected, rtol=1e-5)


def test_a_network_that_ends_in_a_softmax_gets_no_second_one(backend):
    """Its probability is its output, whose gradient is that of the softmax of the logits' network."""
    net, logits = model(backend, softmax=True), model(backend)
    found = crosslens.method("gradient")(net, IMAGES, probability(2))
    np.testing.assert_allclose(found.scores, net.forward(IMAGES)[crosslens.OUTPUT][:, 2], rtol=1e-6)
    same = crosslens.method("gradient")(logits, IMAGES, probability(2))
    np.testing.assert_allclose(found.values, same.values, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["guided_backprop", "guided_grad_cam", "deconvnet"])
def test_a_network_without_a_rectifier_has_no_guided_gradients(backend, name):
    with pytest.raises(ModelError, match=r"has no rectifier .*; use gradient or smooth_grad, which take any network"):
        crosslens.method(name)(model(backend, act="silu"), IMAGES, 1)


def test_a_saturated_softmax_is_said_to_be(backend):
    net = model(backend, gain=1000.0, softmax=True)
    best = net.forward(IMAGES)[crosslens.OUTPUT].argmax(axis=1)
    found = crosslens.method("grad_cam")(net, IMAGES, probability(best))
    assert any("the probability is 1 to float precision for 2 of 2 images" in note for note in found.notes)
    cure = "wrap the network without its softmax" if net.output.before is None else "explain the logit"
    assert any(f"{cure} instead" in note for note in found.notes)


def test_our_own_softmax_keeps_its_gradient_s_digits_where_it_is_saturated(backend):
    """At 1 - p = 1e-9 the slope of p is that of -sum of the others, which float32 holds."""
    net = model(backend, gain=60.0)
    output = net.forward(IMAGES)[crosslens.OUTPUT]
    best = int(output[0].argmax())
    found = crosslens.method("gradient")(net, IMAGES[:1], probability(best))
    assert any("explain the logit instead" in note for note in found.notes)
    shares = np.exp(output[0].astype(np.float64) - output[0].max())
    shares /= shares.sum()
    slope = np.where(np.arange(5) == best, shares[best] * (shares.sum() - shares[best]), -shares[best] * shares)
    slope[best] = shares[best] * np.delete(shares, best).sum()
    expected = net.vjp(IMAGES[:1], {crosslens.OUTPUT: slope[None].astype(np.float32)}).gradients[crosslens.INPUT]
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found.values, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_values_that_are_zero_everywhere_are_said_to_be(backend):
    found = crosslens.method("gradient")(model(backend, gain=0.0), IMAGES, 1)
    assert found.notes == ("the values of 2 of 2 images are zero everywhere: the target does not react at all",)


@pytest.mark.parametrize(
    "name", ["gradient", "grad_cam", "occlusion", "rise", "extremal", "deletion", "sensitivity_max"]
)
def test_a_network_that_gives_nan_gets_no_picture(backend, name):
    small = {"occlusion": {"window": 4, "stride": 4}, "rise": {"samples": 4, "cells": 2}, "deletion": {"steps": 2}}
    with pytest.raises(ModelError, match=r"NaN or infinite for 2 of 2 images.*look at .* weights"):
        crosslens.method(name, **small.get(name, {}))(model(backend, gain=float("nan")), IMAGES, 1)


def test_a_sound_result_has_no_notes(backend):
    for target in (None, probability(1), logit(1)):
        assert crosslens.method("gradient")(model(backend), IMAGES, target).notes == ()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("occlusion", {"window": 2.5}, "window is 2.5; it must be a whole number"),
        ("occlusion", {"window": 4, "stride": "2"}, "stride is '2'; it must be a whole number"),
        ("smooth_grad", {"samples": "5"}, "samples is '5'; it must be a whole number"),
        ("smooth_grad", {"samples": True}, "samples is True; it must be a whole number"),
        ("rise", {"p": "half"}, "p is 'half'; it must be a number"),
        ("rise", {"seed": -1}, "seed is -1; it must be a whole number, at least 0"),
        ("rise", {"seed": None}, "seed is None; it must be a whole number"),
        ("cam", {"layer": 3}, "layer is 3; it must be a text or None"),
        ("localise", {"threshold": None}, "threshold is None; it must be a number, above 0 and at most 1, or otsu"),
    ],
)
def test_a_parameter_of_another_type_is_refused_by_its_name(name, options, message):
    with pytest.raises(ParameterError, match=message):
        crosslens.method(name, **options)(TinyModel(), IMAGES, 1)


def test_numbers_of_numpy_are_numbers():
    found = crosslens.method("smooth_grad", samples=np.int64(2), noise=np.float32(0.1), seed=np.uint8(1))
    assert found(TinyModel(), IMAGES, 1).values.shape == IMAGES.shape
