"""slope="secant": gradients times the difference of the inputs add up to the difference of the outputs."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ImageError

from .networks import calling

A, L = keras.activations, keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(-3, 3, (4, 3, 6, 5)).astype(np.float32)
KERNEL = RANDOM.standard_normal((3, 3, 3, 3)).astype(np.float32) / 3
COLUMNS = RANDOM.standard_normal((3, 3)).astype(np.float32)


def heads(x):
    """Tokens (N, T, heads, size)."""
    return tf.reshape(x, [-1, 5, 2, 9])


def sums(model, x):
    """What the gradients add up to, and what they should, for each output: (N, K) both, in float64."""
    y = model.forward(x)[OUTPUT].astype(np.float64)
    half = len(x) // 2
    ruled, difference = model.modified(slope="secant"), (x[:half] - x[half:]).astype(np.float64)
    got = []
    for unit in np.ndindex(y.shape[1:]):
        dy = np.zeros(y.shape, np.float32)
        dy[(slice(half), *unit)] = 1
        gradient = ruled.vjp(x, {OUTPUT: dy}).gradients[INPUT]
        assert not gradient[half:].any()
        got.append((gradient[:half] * difference).reshape(half, -1).sum(1))
    return np.stack(got, 1).reshape(y[:half].shape), y[:half] - y[half:], ruled


def totals(x):
    """A few different sums of all numbers, so that nothing cancels by chance."""
    flat = tf.reshape(x, [tf.shape(x)[0], -1])
    count = tf.shape(flat)[1]
    places = tf.cast(tf.range(count), x.dtype)
    return flat @ tf.stack([tf.sin(places), tf.cos(3 * places)], 1)


FUNCTIONS = {
    "relu": A.relu,
    "relu6": lambda x: A.relu6(3 * x),
    "leaky relu": A.leaky_relu,
    "prelu": L.PReLU(keras.initializers.Constant(0.3)),
    "gelu": A.gelu,
    "gelu by tanh": lambda x: A.gelu(x, approximate=True),
    "silu": A.silu,
    "mish": A.mish,
    "selu": A.selu,
    "elu with a scale": lambda x: A.elu(x, 0.4),
    "hard_silu": A.hard_silu,
    "soft_shrink": A.soft_shrink,
    "softsign": A.softsign,
    "log_sigmoid": A.log_sigmoid,
    "exp": tf.exp,
    "log": lambda x: tf.math.log(x + 4),
    "sqrt": lambda x: tf.sqrt(x + 4),
    "power": lambda x: (x + 4) ** 1.7,
    "square": tf.square,
    "reciprocal": lambda x: 1 / (x + 4),
    "abs": tf.abs,
    "sine": tf.sin,
    "its own square": lambda x: x * x,
    "product": lambda x: x * keras.ops.flip(x, 2),
    "quotient": lambda x: x / (4 + keras.ops.flip(x, 2)),
    "gate": lambda x: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)),
    "quotient by a sum": lambda x: x / tf.reduce_sum(x + 4, [1, 2], keepdims=True),
    "squared difference": lambda x: tf.math.squared_difference(x, tf.reduce_mean(x, [1, 2], keepdims=True)),
    "matmul": lambda x: tf.matmul(x[..., 0], x[..., 1], transpose_b=True),
    "einsum": lambda x: tf.einsum("nabc,nadc->nbd", x, x * x),
    "softmax": tf.nn.softmax,
    "softmax of another axis": lambda x: keras.ops.softmax(x, axis=1),
    "softmax of large numbers": lambda x: tf.nn.softmax(2 * x + 95),
    "log_softmax of large numbers": lambda x: tf.nn.log_softmax(2 * x - 95),
    "log_softmax": tf.nn.log_softmax,
    "logsumexp": lambda x: tf.reduce_logsumexp(3 * x, [1, 2]),
    "keras.ops.logsumexp": lambda x: keras.ops.logsumexp(x, 1),
    "attention": lambda x: keras.ops.dot_product_attention(heads(x / 2), heads(x / 3), heads(x + 1)),
    "causal attention": lambda x: keras.ops.dot_product_attention(
        heads(x / 2), heads(x / 3), heads(x + 1), is_causal=True
    ),
    "softmax with a mask": lambda x: L.Softmax()(x, mask=np.array([True, False, True])),
    "max pooling": lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
    "max pooling that overlaps": lambda x: keras.ops.max_pool(x, 3, 2, padding="same"),
    "global maximum": lambda x: keras.ops.max(x, (1, 2)),
    "maximum of two": lambda x: tf.maximum(x, keras.ops.flip(x, 2)),
    "minimum of two": lambda x: tf.minimum(x, keras.ops.flip(x, 2)),
    "layer norm": L.LayerNormalization(),
    "group norm": L.GroupNormalization(3),
    "rms norm": L.RMSNormalization(),
    "unit norm": L.UnitNormalization(),
    "batch norm": L.BatchNormalization(),
    "local response": lambda x: tf.nn.local_response_normalization(x, 1, 1.0, 0.5, 0.75),
    "convolution, tanh": lambda x: tf.tanh(tf.nn.conv2d(x, KERNEL, 2, "SAME")),
    "resizing": lambda x: tf.tanh(tf.image.resize(x, (9, 8))),
}


@pytest.mark.parametrize("form", FUNCTIONS)
def test_gradients_add_up_to_the_difference(form):
    shape = (3, 6, 5)
    model = calling(lambda x: totals(FUNCTIONS[form](x)), shape)
    got, expected, ruled = sums(model, X)
    rounding = 5e-5 if "large" in form else 1e-5
    np.testing.assert_allclose(got, expected, rtol=rounding, atol=rounding * np.abs(expected).max())
    assert ruled.caveats() == ()


def network():
    """Convolutions in groups and by channel, batch normalisation, gates, attention, pooling: seen as a whole."""
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 8, 3))
    x = L.Conv2D(8, 3, padding="same", activation="gelu")(image)
    x = L.BatchNormalization(gamma_initializer="normal", beta_initializer="normal")(x)
    y = L.ReLU(6.0)(L.Conv2D(8, 3, groups=2, padding="same")(x))
    y = L.Multiply()([y, L.Dense(8, "sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(y))])
    x = L.MaxPooling2D(2, padding="same")(L.Add()([x, L.DepthwiseConv2D(3, padding="same")(y)]))
    tokens = L.LayerNormalization()(L.Reshape((20, 8))(x))
    tokens = L.Add()([tokens, L.MultiHeadAttention(2, 4)(tokens, tokens)])
    x = L.Dense(6, "silu")(L.LayerNormalization()(tokens))
    return keras.Model(image, L.Dense(3)(L.GlobalMaxPooling1D()(x)))


def test_a_whole_network_adds_up():
    model = crosslens.wrap(network(), preprocess=None, bounds=None)
    x = RANDOM.uniform(-1, 1, (4, 3, 9, 8)).astype(np.float32)
    got, expected, ruled = sums(model, x)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert ruled.caveats() == ()


def test_each_half_keeps_its_own_cotangent_and_the_same_factor():
    model = calling(tf.tanh, (3, 6, 5)).modified(slope="secant")
    dy = RANDOM.standard_normal(X.shape).astype(np.float32)
    got = model.vjp(X, {OUTPUT: dy}).gradients[INPUT]
    first, second = X[:2].astype(np.float64), X[2:].astype(np.float64)
    factor = (np.tanh(first) - np.tanh(second)) / (first - second)
    np.testing.assert_allclose(got, dy * np.concatenate([factor, factor]), rtol=1e-4)


def test_where_image_and_reference_agree_it_is_the_derivative():
    x = np.concatenate([X[:2], X[:2]])
    for function in (
        tf.tanh,
        A.gelu,
        tf.nn.softmax,
        tf.nn.log_softmax,
        L.LayerNormalization(),
        lambda x: x * x[:, ::-1],
    ):
        model = calling(function, (3, 6, 5))
        dy = RANDOM.standard_normal(X.shape).astype(np.float32)
        exact, got = (each.vjp(x, {OUTPUT: dy}).gradients[INPUT] for each in (model, model.modified(slope="secant")))
        np.testing.assert_allclose(got, exact, rtol=1e-3, atol=1e-5 * np.abs(exact).max())


def test_captums_max_pooling_and_relu():
    """Captum's DeepLIFT tests (tests/attr/test_deeplift_basic.py): multipliers of two rectifiers on one input: 2, 1."""
    model = calling(lambda x: tf.nn.relu(x[:, :1]) * 2 + tf.nn.relu(x[:, 1:]), (2,)).modified(slope="secant")
    x = np.array([[1, 1], [0, 0]], np.float32)
    got = model.vjp(x, {OUTPUT: np.array([[1], [0]], np.float32)}).gradients[INPUT]
    np.testing.assert_allclose(got[:1], [[2, 1]])


def test_kundajelabs_dense_layer():
    """kundajelab/deeplift, tests of the rescale rule: relu(W x - 1), W = 1 2 3 4, inputs 1 and 2: .9 W and .95 W."""
    w = np.array([[1], [2], [3], [4]], np.float32)
    model = calling(lambda x: tf.nn.relu(x @ w - 1), (4,)).modified(slope="secant")
    x = np.concatenate([np.full((1, 4), 1), np.full((1, 4), 2), np.zeros((2, 4))]).astype(np.float32)
    dy = np.array([[1], [1], [0], [0]], np.float32)
    got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got[:2], np.concatenate([0.9 * w.T, 0.95 * w.T]), rtol=1e-6)


def test_a_maximum_gives_to_where_image_and_reference_have_theirs():
    """Captum's MaxPool2D test writes it for one window; here each window, scattered by hand."""
    model = calling(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), (3, 6, 4))
    x, dy = X[..., :4], RANDOM.standard_normal((4, 3, 3, 2)).astype(np.float32)
    got = model.modified(slope="secant").vjp(x, {OUTPUT: dy}).gradients[INPUT]
    expected = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        image, reference = (x[m, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] for m in (n % 2, n % 2 + 2))
        change = image.max() - reference.max()
        owner = image if change > 0 else reference
        k, m = np.unravel_index(owner.argmax(), (2, 2))
        expected[n, c, 2 * i + k, 2 * j + m] = dy[n, c, i, j] * change / (image - reference)[k, m]
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def turned(function):
    """A function of maps whose batch is their third axis."""
    return lambda x: tf.transpose(function(tf.transpose(x, [1, 2, 0, 3])), [2, 0, 1, 3])


TURNED = {
    "tanh": tf.tanh,
    "product": lambda x: x * tf.sin(x[:, ::-1]),
    "softmax": tf.nn.softmax,
    "maximum": lambda x: tf.reduce_max(x, 0, keepdims=True) + 0 * x,
    "einsum": lambda x: tf.einsum("abnc,dbnc->adnc", x, x * x)[:, :5],
}


@pytest.mark.parametrize("form", TURNED)
def test_gradients_add_up_where_the_batch_is_not_the_first_axis(form):
    got, expected, ruled = sums(calling(lambda x: totals(turned(TURNED[form])(x)), (3, 6, 5)), X)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert ruled.caveats() == ()


def test_gradients_add_up_where_positions_share_the_axis_of_the_batch():
    flat = calling(lambda x: totals(tf.reshape(tf.tanh(tf.reshape(x, [-1])), tf.shape(x))), (3, 6, 5))
    got, expected, ruled = sums(flat, X)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert ruled.caveats() == ()


def test_an_odd_batch_and_what_has_no_secant_are_said():
    model = calling(lambda x: tf.math.cumprod(x, 1), (3, 6, 5)).modified(slope="secant")
    with pytest.raises(ImageError, match=r"received 3, an odd number"):
        model.vjp(X[:3], {OUTPUT: X[:3]})
    assert model.caveats() == (
        "operations Cumprod have no secant: their derivative is used, so attributions need not add up",
    )
    assert calling(lambda x: tf.math.cumprod(x, 1), (3, 6, 5)).caveats() == ()
