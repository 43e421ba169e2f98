"""Weights in one layout, against torch layers that are given them, and networks with other weights."""

import crosslens
import keras
import numpy as np
import pytest
import torch
from crosslens import OUTPUT

L = keras.layers
F = torch.nn.functional
X = np.random.default_rng(0).random((2, 4, 7, 7), dtype=np.float32)


def wrapped(layer, shape=(7, 7, 4)):
    net = keras.Sequential([keras.Input(shape), layer])
    rng = np.random.default_rng(1)
    net.set_weights([rng.random(w.shape, dtype=np.float32) + 0.1 for w in net.get_weights()])
    return crosslens.wrap(net, preprocess=None)


def in_torch(name, x, w):
    w = {key: torch.tensor(value) for key, value in w.items()}
    x = torch.tensor(x)
    bias = w.get("bias")
    if name == "separable":
        return F.conv2d(F.conv2d(x, w["depthwise_kernel"], groups=4), w["kernel"], bias)
    if name == "norm":
        return F.batch_norm(x, w["mean"], w["variance"], w["scale"], w["offset"], eps=1e-3)
    return {
        "conv": lambda: F.conv2d(x, w["kernel"], bias, stride=2),
        "grouped": lambda: F.conv2d(x, w["kernel"], bias, groups=2),
        "depthwise": lambda: F.conv2d(x, w["kernel"], bias, groups=4),
        "transposed": lambda: F.conv_transpose2d(x, w["kernel"].transpose(0, 1), bias, stride=2),
        "dense": lambda: F.linear(x.movedim(1, -1), w["kernel"], bias).movedim(-1, 1),
        "prelu": lambda: F.prelu(x - 0.5, w["slope"]),
        "einsum": lambda: F.linear(x.movedim(1, -1), w["kernel"], bias).movedim(-1, 1),
    }[name]()


LAYERS = {
    "conv": lambda: L.Conv2D(5, 3, strides=2, name="l"),
    "grouped": lambda: L.Conv2D(6, 3, groups=2, name="l"),
    "depthwise": lambda: L.DepthwiseConv2D(3, depth_multiplier=2, name="l"),
    "separable": lambda: L.SeparableConv2D(5, 3, depth_multiplier=2, name="l"),
    "transposed": lambda: L.Conv2DTranspose(5, 3, strides=2, name="l"),
    "dense": lambda: L.Dense(5, name="l"),
    "einsum": lambda: L.EinsumDense("abcd,de->abce", (None, None, 5), bias_axes="e", name="l"),
    "norm": lambda: L.BatchNormalization(name="l"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_torch_layer_with_these_weights_computes_the_same(name):
    model = wrapped(LAYERS[name]())
    expected = in_torch(name, X, model.weights("l")).numpy()
    np.testing.assert_allclose(model.forward(X)[OUTPUT], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_put_back_are_the_weights_taken_out(name):
    model = wrapped(LAYERS[name]())
    changed = {key: value * 2 for key, value in model.weights("l").items()}
    copy = model._with_weights({"l": changed})
    for key, value in copy.weights("l").items():
        np.testing.assert_array_equal(value, changed[key])
    expected = in_torch(name, X, changed).numpy()
    np.testing.assert_allclose(copy.forward(X)[OUTPUT], expected, rtol=1e-4, atol=1e-5)


def test_prelu_slopes_are_one_per_channel_or_per_position():
    assert wrapped(L.PReLU(shared_axes=[1, 2], name="l")).weights("l")["slope"].shape == (4,)
    assert wrapped(L.PReLU(name="l")).weights("l")["slope"].shape == (4, 7, 7)


def test_layer_normalisation_has_scale_and_offset():
    assert set(wrapped(L.LayerNormalization(name="l")).weights("l")) == {"scale", "offset"}


def test_a_randomised_copy_leaves_the_original_alone_in_a_subclassed_network_too():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Conv2D(3, 3, name="a"), L.Conv2D(3, 3, name="b")

        def call(self, x):
            return self.b(self.a(x))

    net = Two()
    model = crosslens.wrap(net, preprocess=None, input_shape=(4, 7, 7))
    before, digest, weights = model.forward(X)[OUTPUT], model.digest, [np.array(w) for w in net.get_weights()]
    copy = model.randomised(["b"], seed=3)
    assert not np.allclose(copy.forward(X)[OUTPUT], before, rtol=1e-2)
    np.testing.assert_array_equal(copy.weights("a")["kernel"], model.weights("a")["kernel"])
    np.testing.assert_array_equal(model.forward(X)[OUTPUT], before)
    for old, new in zip(weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert copy.digest != digest
    assert crosslens.wrap(net, preprocess=None, input_shape=(4, 7, 7)).digest == digest


@pytest.mark.parametrize(("equation", "axes"), [("abc,cde->abde", "de"), ("abc,dec->abed", "ed"), ("abc,cd->abd", "d")])
def test_the_bias_of_an_einsum_layer_stands_in_the_order_of_the_rows_of_its_kernel(equation, axes):
    """What a zero input gives is the bias; a kernel of one row gives where that row is."""
    layer = keras.layers.EinsumDense(equation, (None, 2, 3)[: len(axes) + 1], bias_axes=axes, name="e")
    net = keras.Sequential([keras.Input((4, 5)), layer])
    layer.bias.assign(np.arange(1, 1 + np.prod(layer.bias.shape)).reshape(layer.bias.shape))
    model = crosslens.wrap(net, bounds=None, preprocess=None)
    weights = model.weights("e")
    bias = np.asarray(layer(np.zeros((1, 4, 5)))).reshape(4, -1)[0]
    for row, value in enumerate(weights["bias"]):
        kernel = np.zeros_like(weights["kernel"])
        kernel[row] = 1
        layer.kernel.assign(model.network.weights_of(model._tensors["e"])["kernel"].inside(kernel))
        (place,) = np.flatnonzero(np.asarray(layer(np.ones((1, 4, 5)))).reshape(4, -1)[0] - bias)
        assert bias[place] == value
