"""Keras' published networks by tf2onnx, small, with random weights: forward, gradients and Grad-CAM against a tape."""

import logging
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import crosslens
import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
import tf2onnx
from crosslens import INPUT, OUTPUT, wrap
from crosslens.introspection.default_layer import last_maps
from keras import applications, layers
from onnx import helper

HEAD = {"weights": None, "classes": 7, "classifier_activation": None}


def inception_like():
    """Two blocks of Inception V3 under its head: branches, factorised convolutions, global pooling of a Concat."""
    x = image = keras.Input((35, 35, 3))
    x = layers.Conv2D(16, 3, 2, activation="relu")(x)
    for place in range(2):
        one = layers.Conv2D(8, 1, padding="same", activation="relu")(x)
        two = layers.Conv2D(8, (1, 3), padding="same", activation="relu")(one)
        three = layers.Conv2D(8, (3, 1), padding="same", activation="relu")(one)
        pooled = layers.AveragePooling2D(3, 1, padding="same")(x)
        x = layers.Concatenate(name=f"mixed{place}")([one, two, three, pooled])
    return keras.Model(image, layers.Dense(7)(layers.GlobalAveragePooling2D()(x)))


NETWORKS = {
    "MobileNetV2": (lambda: applications.MobileNetV2((64, 64, 3), alpha=0.35, **HEAD), 13, "block_8_depthwise_relu"),
    "MobileNetV3Small": (
        lambda: applications.MobileNetV3Small((64, 64, 3), alpha=0.75, **HEAD),
        18,
        "expanded_conv_5_squeeze_excite_mul",
    ),
    "inception-like": (inception_like, 13, "mixed0"),
}


@pytest.fixture(scope="module")
def made():
    """Networks, each with the opset that it was written at and its ONNX twin, made once."""
    built = {}

    def get(name):
        if name not in built:
            make, opset, middle = NETWORKS[name]
            keras.utils.set_random_seed(0)
            net = make()
            redraw(net)
            built[name] = net, by_tf2onnx(net, net.input_shape, opset), middle
        return built[name]

    return get


def redraw(net):
    """Statistics as after training, so that no normalisation passes its input on."""
    rng = np.random.default_rng(0)
    for variable in net.variables:
        kind = variable.path.split("/")[-1]
        if kind in {"moving_mean", "beta"}:
            variable.assign(rng.normal(0, 0.1, variable.shape))
        if kind in {"moving_variance", "gamma"}:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))


def by_tf2onnx(net, shape, opset):
    signature = [tf.TensorSpec([None, *shape[1:]], tf.float32, name="input")]
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return tf2onnx.convert.from_function(tf.function(lambda x: net(x, training=False)), signature, opset=opset)[0]
    finally:
        logging.disable(disabled)


def first(maps):
    """(N, H, W, C) as (N, C, H, W), in float64."""
    return np.moveaxis(np.asarray(maps, np.float64), -1, 1)


def by_tape(net, inner, x, dy, dtype):
    """Output, an inner layer's maps, and the gradients at the images and at those maps."""
    double = keras.models.clone_model(net) if dtype == "float32" else in_double(net)
    double.set_weights(net.get_weights())
    both = keras.Model(double.input, [double.get_layer(inner).output, double.output])
    with tf.GradientTape() as tape:
        image = tf.constant(np.moveaxis(x, 1, -1), dtype)
        tape.watch(image)
        maps, y = both(image, training=False)
        score = tf.reduce_sum(y * tf.constant(dy, dtype))
    return [np.asarray(y, np.float64), *(first(v) for v in (maps, *tape.gradient(score, [image, maps])))]


def in_double(net):
    policy = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("float64")
    try:
        return keras.Model.from_config(with_dtype(net.get_config()))
    finally:
        keras.config.set_dtype_policy(policy)


def with_dtype(config):
    if isinstance(config, dict):
        return {key: with_dtype(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(with_dtype(value) for value in config)
    return "float64" if isinstance(config, str) and config == "float32" else config


def relative(got, want):
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def nearest(model, x, maps):
    """The layer with these activations; tf2onnx keeps Keras' names only in part."""
    fitting = [name for name, layer in model.layers.items() if layer.shape[1:] == maps.shape[1:] and name != INPUT]
    found = model.forward(x, fitting)
    return min(fitting, key=lambda name: relative(found[name], maps))


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_networks_by_tf2onnx_have_the_tapes_gradients(made, name):
    net, proto, middle = made(name)
    model = wrap(proto, preprocess=None)
    x = np.random.default_rng(1).random((2, *model.input.shape), np.float32)
    dy = np.eye(7, dtype=np.float32)[[3, 5]]
    exact, single = (by_tape(net, middle, x, dy, dtype) for dtype in ("float64", "float32"))
    inner = nearest(model, x, exact[1])
    pull = model.vjp(x, {OUTPUT: dy}, wrt=[INPUT, inner], capture=[OUTPUT, inner])
    with model.linearize(x, [OUTPUT], wrt=[INPUT, inner]) as at:
        again = at.vjp({OUTPUT: dy})
    found = [pull.activations[OUTPUT], pull.activations[inner], pull.gradients[INPUT], pull.gradients[inner]]
    found += [again[INPUT], again[inner]]
    for got, want, near in zip(found, [*exact, *exact[2:]], [*single, *single[2:]], strict=True):
        assert relative(got, want) < max(2e-5, 3 * relative(near, want))


@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_takes_keras_last_maps_seen_channels_first(made, name):
    net, proto, _ = made(name)
    model = wrap(proto, preprocess=None)
    last = [n.name for n in net.layers if len(n.output.shape) == 4 and n.output.shape[1] > 1][-1]
    x = np.random.default_rng(1).random((2, *model.input.shape), np.float32)
    _, maps, _, gradient = by_tape(net, last, x, np.eye(7)[[3, 3]], "float64")
    want = np.maximum((maps * gradient.mean((2, 3), keepdims=True)).sum(1), 0)
    assert model.layers[last_maps(model)].shape[1:] == maps.shape[1:]
    assert relative(model.forward(x, [last_maps(model)])[last_maps(model)], maps) < 1e-5
    cam = crosslens.method("grad_cam")(model, x, target=3).values
    np.testing.assert_allclose(cam, want, atol=1e-4 * max(want.max(), 1e-9))


def test_a_reshape_after_global_pooling_is_no_layer_of_maps():
    """tf2onnx writes Reshape to (N, 1, 1, C) in place of a Transpose where the image is fixed in size."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Relu", ["t"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Reshape", ["p", "shape"], ["l"], name="turned"),
        helper.make_node("Squeeze", ["l", "axes"], ["y"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([-1, 1, 1, 3]), "shape"),
        onnx.numpy_helper.from_array(np.array([1, 2]), "axes"),
    ]
    ends = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", ["N", 6, 5, 3]), ("y", ["N", 3]))]
    graph = helper.make_graph(nodes, "pooled", ends[:1], ends[1:], constants)
    model = wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), preprocess=None)
    assert last_maps(model) == "relu"
    assert "turned" not in model.layers
    assert model.layers["pool"].shape == (None, 3, 1, 1)
    x = np.random.default_rng(0).random((2, 3, 6, 5), np.float32)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: np.ones((2, 3), np.float32)}).gradients[INPUT], 1 / 30, rtol=1e-6)
