"""Rules on networks of other kinds: SavedModels, subclassed models, half precision, fixed batches, integers."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError
from crosslens.model.kernel_rules import Branch, KernelRule

from .networks import calling

L = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0, 1, (4, 3, 9, 8)).astype(np.float32)
DY = RANDOM.standard_normal((4, 3)).astype(np.float32)
OPTIONS = [
    {"slope": "ratio"},
    {"slope": "secant"},
    {"norms": "stop"},
    {"products": "half"},
    {"slope": "ratio", "norms": "stop", "products": "half"},
]


def small(dtype="float32", batch=None):
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 8, 3), batch_size=batch)
    x = L.MaxPooling2D(2)(L.Conv2D(8, 3, activation="gelu", name="conv", dtype=dtype)(image))
    t = L.LayerNormalization(dtype=dtype)(L.Reshape((9, 8))(x))
    t = L.Dense(6, "silu", name="dense", dtype=dtype)(L.MultiHeadAttention(2, 4, dtype=dtype)(t, t))
    return keras.Model(image, L.Dense(3, name="head", dtype="float32")(L.GlobalAveragePooling1D()(t)))


@pytest.fixture(scope="module")
def wrapped_small():
    return crosslens.wrap(small(), preprocess=None)


@pytest.fixture(scope="module")
def saved(wrapped_small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "net"
    wrapped_small.network.net.export(folder, verbose=False)
    return crosslens.wrap(folder, preprocess=None)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_saved_model_obeys_each_rule_as_its_network_does(wrapped_small, saved, options):
    expected, got = (m.modified(**options).vjp(X, {OUTPUT: DY}).gradients[INPUT] for m in (wrapped_small, saved))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_rule_for_rectifiers_is_still_refused_by_a_saved_model(saved):
    with pytest.raises(ModelError, match=r"cannot be put into a SavedModel"):
        saved.modified(relu="guided", slope="ratio")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_half_precision_gives_numbers_near_those_of_full_precision(wrapped_small, options):
    model = crosslens.wrap(small("mixed_float16"), preprocess=None)
    expected, got = (m.modified(**options).vjp(X, {OUTPUT: DY}).gradients[INPUT] for m in (wrapped_small, model))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, expected, rtol=0, atol=0.03 * np.abs(expected).max())


def test_a_fixed_batch_keeps_its_pairs():
    model = crosslens.wrap(small(batch=2), preprocess=None)
    y = model.forward(X)[OUTPUT].astype(np.float64)
    got = model.modified(slope="secant").vjp(X, {OUTPUT: np.ones_like(DY)}).gradients[INPUT]
    sums = ((got[:2] - 0) * (X[:2] - X[2:])).reshape(2, -1).sum(1)
    np.testing.assert_allclose(sums, (y[:2] - y[2:]).sum(1), rtol=1e-4, atol=1e-6)


class Bare(keras.Model):
    """A network of TensorFlow's own functions and variables, which no layer holds."""

    def __init__(self):
        super().__init__()
        self.k = tf.Variable(RANDOM.standard_normal((3, 3, 3, 4)).astype(np.float32))

    def call(self, x):
        y = tf.nn.conv2d(x, self.k, 1, "SAME")
        return tf.reduce_mean(y * tf.sigmoid(y), [1, 2])


def test_a_subclassed_network_of_functions_obeys_the_slopes():
    model = crosslens.wrap(Bare(), preprocess=None, input_shape=(3, 9, 8))
    assert not any(model.weights(name) for name in model.layers)
    dy = RANDOM.standard_normal((4, 4)).astype(np.float32)
    (before,) = [name for name in model.layers if "conv2d" in name]
    pull = model.modified(slope="ratio").vjp(X, {OUTPUT: dy}, wrt=[before], capture=[before])
    expected = dy[:, :, None, None] / (1 + np.exp(-pull.activations[before].astype(np.float64))) / 72
    np.testing.assert_allclose(pull.gradients[before], expected, rtol=1e-4, atol=1e-7)
    y = model.forward(X)[OUTPUT].astype(np.float64)
    got = model.modified(slope="secant").vjp(X, {OUTPUT: dy}).gradients[INPUT]
    sums = (got[:2] * (X[:2] - X[2:])).reshape(2, -1).sum(1)
    np.testing.assert_allclose(sums, ((y[:2] - y[2:]) * dy[:2]).sum(1), rtol=1e-4)


def test_an_activation_that_takes_the_place_of_another_is_where_gradients_start_anew():
    """replace= and rules together: the gradient at the replaced layer, by the rules behind it."""
    net = keras.Sequential([keras.Input((6, 5, 3)), L.Activation("relu", name="a"), L.Activation("tanh")])
    model = crosslens.wrap(net, preprocess=None)
    a, dy = (RANDOM.standard_normal((4, 3, 6, 5)).astype(np.float32) for _ in range(2))
    x = np.zeros_like(a)
    got = model.modified(slope="ratio").vjp(x, {OUTPUT: dy}, wrt=["a", INPUT], replace={"a": a}).gradients
    np.testing.assert_allclose(got["a"], dy * np.tanh(a) / a, rtol=1e-5)
    assert not got[INPUT].any()


def test_no_rule_is_left_behind_in_keras_or_tensorflow():
    before = keras.Operation.__call__, tf.raw_ops.Tanh, keras.activations.tanh
    model = calling(tf.tanh, (3, 6, 5))
    x, dy = (RANDOM.standard_normal((2, 3, 6, 5)).astype(np.float32) for _ in range(2))
    model.modified(slope="ratio", norms="stop", products="half").vjp(x, {OUTPUT: dy})
    np.testing.assert_allclose(
        model.vjp(x, {OUTPUT: dy}).gradients[INPUT], dy * (1 - np.tanh(x) ** 2), rtol=1e-4, atol=1e-6
    )
    assert (keras.Operation.__call__, tf.raw_ops.Tanh, keras.activations.tanh) == before


def test_memory_is_bounded_whatever_is_asked(wrapped_small):
    model = wrapped_small.modified(kernels={"conv": KernelRule((Branch(),), 0.1)}, slope="ratio")
    names = [*model.layers][1:6]
    for n in range(30):
        model.vjp(X[:1], {OUTPUT: DY[:1]}, capture=[name for k, name in enumerate(names) if n >> k & 1])
    assert len(model._functions) <= 24


def test_an_error_while_tracing_leaves_keras_as_it_was():
    before, fails = keras.Operation.__call__, [False]

    def function(x):
        if fails[0]:
            raise ValueError("a network that fails")
        return tf.tanh(x)

    model = calling(function, (3, 6, 5)).modified(slope="ratio")
    assert [*model.layers]
    fails[0] = True
    with pytest.raises(ModelError, match=r"the network cannot be traced.*a network that fails"):
        model.vjp(np.zeros((1, 3, 6, 5), np.float32), {OUTPUT: np.ones((1, 3, 6, 5), np.float32)})
    assert keras.Operation.__call__ is before
