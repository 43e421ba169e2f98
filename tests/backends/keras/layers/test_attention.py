"""Attention's weights as layers of Keras models, though Keras hides them unless it is asked for scores."""

import crosslens
import keras
import numpy as np
import pytest
from crosslens.introspection.default_layer import attention_maps
from keras import layers

HEADS, SIZE = 2, 3


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 3))
    tokens = layers.Reshape((9, 8))(layers.Conv2D(8, 2, 2, name="patch")(x))
    for n in range(2):
        attend = layers.MultiHeadAttention(HEADS, SIZE, name=f"attend{n}", kernel_initializer="he_normal")
        tokens = layers.Add()([tokens, attend(tokens, tokens)])
    return keras.Model(x, layers.Dense(5)(layers.GlobalAveragePooling1D()(tokens)))


@pytest.fixture(scope="module")
def model(net):
    return crosslens.wrap(net, preprocess=None)


def images():
    return np.random.default_rng(0).random((2, 3, 6, 6), dtype=np.float32)


def test_the_weights_are_those_that_keras_gives_when_asked(net, model):
    assert [name.partition("/")[0] for name in attention_maps(model)] == ["attend0", "attend1"]
    name = attention_maps(model)[0]
    tokens = net.layers[2](net.get_layer("patch")(np.moveaxis(images(), 1, -1)))
    _, expected = net.get_layer("attend0")(tokens, tokens, return_attention_scores=True)
    np.testing.assert_allclose(model.forward(images(), [name])[name], expected.numpy(), rtol=1e-4, atol=1e-6)


def test_showing_them_changes_no_output(net, model):
    name = attention_maps(model)[0]
    expected = net(np.moveaxis(images(), 1, -1)).numpy()
    got = model.forward(images(), [name, crosslens.OUTPUT])[crosslens.OUTPUT]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_at_the_weights_is_the_output_s_slope(model):
    name = attention_maps(model)[1]
    seed = np.eye(5, dtype=np.float32)[[1, 3]]
    found = model.vjp(images(), {crosslens.OUTPUT: seed}, wrt=[name], capture=[name])
    a, step = found.activations[name], np.random.default_rng(1).normal(size=(2, HEADS, 9, 9))
    up, down = (
        (model.forward(images(), replace={name: (a + s * step).astype(np.float32)})[crosslens.OUTPUT] * seed).sum(1)
        for s in (0.1, -0.1)
    )
    np.testing.assert_allclose((found.gradients[name] * step).sum((1, 2, 3)), (up - down) / 0.2, rtol=1e-3)


def test_rollout_and_relevance_run_on_keras(model):
    for name, target in (("attention_rollout", None), ("attention_relevance", 1)):
        found = crosslens.method(name)(model, images(), target).values
        assert found.shape == (2, 3, 3)
        assert found.min() >= 0
        assert found.max() > found.min()


class ByHand(layers.Layer):
    """Attention as users write it, with products of matrices or with an equation."""

    def __init__(self, equation, **options):
        super().__init__(**options)
        self.q, self.k, self.v = (layers.Dense(HEADS * SIZE, name=name) for name in "qkv")
        self.out, self.equation = layers.Dense(8, name="out"), equation

    def call(self, x):
        ops = keras.ops
        q, k, v = (ops.reshape(f(x), (-1, 9, HEADS, SIZE)) for f in (self.q, self.k, self.v))
        if self.equation:
            weights = ops.softmax(ops.einsum("bqhd,bkhd->bhqk", q, k))
            y = ops.einsum("bhqk,bkhd->bqhd", weights, v)
        else:
            q, k, v = (ops.transpose(a, (0, 2, 1, 3)) for a in (q, k, v))
            weights = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))))
            y = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))
        return self.out(ops.reshape(y, (-1, 9, HEADS * SIZE)))


@pytest.mark.parametrize("equation", [True, False])
def test_attention_written_by_hand_has_its_weights_too(equation):
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 3))
    tokens = layers.Reshape((9, 8))(layers.Conv2D(8, 2, 2, name="patch")(x))
    y = ByHand(equation, name="attend")(tokens)
    model = crosslens.wrap(keras.Model(x, layers.Dense(5)(layers.GlobalAveragePooling1D()(y))), preprocess=None)
    assert attention_maps(model) == ["attend/softmax"]
    found = model.forward(images(), ["attend/softmax", "attend/q", "attend/k"])
    q, k = (found[f"attend/{name}"].reshape(2, 9, HEADS, SIZE) for name in "qk")
    scores = np.exp(np.einsum("bqhd,bkhd->bhqk", q, k))
    np.testing.assert_allclose(found["attend/softmax"], scores / scores.sum(-1, keepdims=True), rtol=1e-4)
    assert crosslens.method("attention_rollout")(model, images()).values.shape == (2, 3, 3)
