"""norms="stop" holds deviations constant; products="half" halves both gradients of a product."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT

from .networks import calling

A, L = keras.activations, keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 3, 6, 5)).astype(np.float32)
DY = RANDOM.standard_normal((2, 3, 6, 5)).astype(np.float32)
LAST = np.moveaxis(X, 1, -1).astype(np.float64)
DY_LAST = np.moveaxis(DY, 1, -1).astype(np.float64)
SCALE = np.array([1.5, -2.0, 0.5])


def centred(deviation, axes, scale=1.0):
    """The gradient of (x - mean) / deviation * scale, with the deviation as a constant."""
    g = DY_LAST * scale / deviation
    return g - g.mean(axes, keepdims=True)


def scaled(layer):
    """The layer with scales of its own."""
    layer.build((None, 6, 5, 3))
    layer.weights[0].assign(SCALE)
    return layer


def window(x):
    """For each channel the sum of it and its neighbours."""
    padded = np.pad(x, [(0, 0)] * 3 + [(1, 1)])
    return padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]


STOPPED = {
    "layer norm": lambda: (
        scaled(L.LayerNormalization(epsilon=0.1)),
        centred(np.sqrt(LAST.var(-1, keepdims=True) + 0.1), -1, SCALE),
    ),
    "layer norm over all axes": lambda: (
        L.LayerNormalization(axis=(1, 2, 3), epsilon=0.1),
        centred(np.sqrt(LAST.var((1, 2, 3), keepdims=True) + 0.1), (1, 2, 3)),
    ),
    "group norm": lambda: (
        scaled(L.GroupNormalization(3, epsilon=0.1)),
        centred(np.sqrt(LAST.var((1, 2), keepdims=True) + 0.1), (1, 2), SCALE),
    ),
    "rms norm": lambda: (
        scaled(L.RMSNormalization(epsilon=0.1)),
        DY_LAST * SCALE / np.sqrt((LAST**2).mean(-1, keepdims=True) + 0.1),
    ),
    "unit norm": lambda: (L.UnitNormalization(), DY_LAST / np.sqrt((LAST**2).sum(-1, keepdims=True))),
    "tf.nn.l2_normalize": lambda: (
        lambda x: tf.nn.l2_normalize(x, -1),
        DY_LAST / np.sqrt((LAST**2).sum(-1, keepdims=True)),
    ),
    "norm and division": lambda: (
        lambda x: x / tf.norm(x, axis=-1, keepdims=True),
        DY_LAST / np.sqrt((LAST**2).sum(-1, keepdims=True)),
    ),
    "a power": lambda: (
        lambda x: x * (tf.reduce_mean(x * x, -1, keepdims=True) + 0.1) ** -0.5,
        DY_LAST / np.sqrt((LAST**2).mean(-1, keepdims=True) + 0.1),
    ),
    "local response": lambda: (
        lambda x: tf.nn.local_response_normalization(x, 1, 1.0, 0.5, 0.75),
        DY_LAST * (1 + 0.5 * window(LAST**2)) ** -0.75,
    ),
}


@pytest.mark.parametrize("products", ["exact", "half"])
@pytest.mark.parametrize("form", STOPPED)
def test_no_gradient_passes_the_deviation_of_a_normalisation(form, products):
    function, expected = STOPPED[form]()
    got = calling(function, (3, 6, 5)).modified(norms="stop", products=products).vjp(X, {OUTPUT: DY}).gradients[INPUT]
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", [{"norms": "stop"}, {"products": "half"}, {"slope": "ratio"}])
def test_batch_normalisation_in_inference_keeps_its_gradient(option):
    layer = L.BatchNormalization(epsilon=0.1)
    layer.build((None, 6, 5, 3))
    for weight in layer.weights:
        weight.assign(RANDOM.uniform(0.5, 2, 3))
    gain = np.asarray(layer.gamma) / np.sqrt(np.asarray(layer.moving_variance) + 0.1)
    got = calling(layer, (3, 6, 5)).modified(**option).vjp(X, {OUTPUT: DY}).gradients[INPUT]
    np.testing.assert_allclose(got, DY * gain[:, None, None], rtol=1e-5)


def half(x):
    """x itself, its gradient halved."""
    return x / 2 + tf.stop_gradient(x / 2)


def attention(q, k, v, passed):
    """The definition of attention, each factor of a product through `passed`."""
    scores = tf.einsum("nthd,nshd->nhts", passed(q), passed(k)) / 3.0
    return tf.einsum("nhts,nshd->nthd", passed(tf.nn.softmax(scores)), passed(v))


def flat(x):
    return tf.reshape(x, [tf.shape(x)[0], -1])


def tokens(x):
    return tf.reshape(x, [-1, 5, 2, 9])


HALVED = {
    "product": (lambda x: x * x[:, ::-1], lambda x: half(x) * half(x[:, ::-1])),
    "its own square": (lambda x: x * x, lambda x: half(x) * half(x)),
    "gate": (
        lambda x: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)),
        lambda x: half(x) * half(tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True))),
    ),
    "Multiply layer": (
        lambda x: L.Multiply()([x, tf.sin(x[:, ::-1])]),
        lambda x: half(x) * half(tf.sin(x[:, ::-1])),
    ),
    "matmul": (
        lambda x: keras.ops.matmul(x, keras.ops.swapaxes(x, 2, 3)),
        lambda x: tf.matmul(half(x), half(x), transpose_b=True),
    ),
    "attention": (
        lambda x: keras.ops.dot_product_attention(tokens(x), tokens(2 * x), tokens(x + 1), scale=1 / 3),
        lambda x: attention(tokens(x), tokens(2 * x), tokens(x + 1), half),
    ),
    "product with a constant": (lambda x: x * 2.0, lambda x: x * 2.0),
    "silu": (A.silu, A.silu),
    "gelu": (A.gelu, A.gelu),
    "layer norm": (L.LayerNormalization(), L.LayerNormalization()),
    "softmax": (tf.nn.softmax, tf.nn.softmax),
    "dense": (lambda x: x @ np.eye(3, dtype=np.float32), lambda x: x),
}


@pytest.mark.parametrize("form", HALVED)
def test_both_gradients_of_a_product_are_halved(form):
    function, written = HALVED[form]
    model = calling(lambda x: flat(function(x)), (3, 6, 5))
    dy = RANDOM.standard_normal(model.forward(X)[OUTPUT].shape).astype(np.float32)
    got = model.modified(products="half").vjp(X, {OUTPUT: dy}).gradients[INPUT]
    with tf.GradientTape() as tape:
        x = tf.constant(LAST, tf.float32)
        tape.watch(x)
        y = flat(written(x))
    expected = tape.gradient(y, x, dy).numpy()
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_attention_layers_have_their_products_halved_too():
    layer = L.MultiHeadAttention(2, 4, name="attend")
    image = keras.Input((5, 6))
    model = crosslens.wrap(keras.Model(image, layer(image, image)), preprocess=None, bounds=None)
    x, dy = (RANDOM.standard_normal((2, 5, 6)).astype(np.float32) for _ in range(2))
    got = model.modified(products="half").vjp(x, {OUTPUT: dy}).gradients[INPUT]
    q, k, v = (getattr(layer, f"_{name}_dense") for name in ("query", "key", "value"))
    with tf.GradientTape() as tape:
        t = tf.constant(x)
        tape.watch(t)
        y = layer._output_dense(attention(q(t) * (3 / 2), k(t), v(t), half))
    np.testing.assert_allclose(got, tape.gradient(y, t, dy), rtol=1e-4, atol=1e-6)
