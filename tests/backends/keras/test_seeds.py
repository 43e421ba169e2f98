"""Keras networks that draw numbers or mix a batch when they run: what the probe of core finds."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import OUTPUT
from crosslens.model.repeatability import repeatability

L = keras.layers
X = np.random.default_rng(0).random((2, 3, 12, 12), np.float32)


class Net(keras.Model):
    """Convolution, `between`, mean, dense."""

    def __init__(self, between, layer=None):
        super().__init__()
        self.c, self.d, self.between = L.Conv2D(8, 3, name="c"), L.Dense(3), between
        self.layer = layer or L.Dropout(0.5, seed=1)

    def call(self, x):
        return self.d(tf.reduce_mean(self.between(self, self.c(x)), [1, 2]))


RANDOM = {
    "Dropout left on": lambda net, x: net.layer(x, training=True),
    "keras.random": lambda net, x: x + keras.random.normal(tf.shape(x)),
    "tf.random": lambda net, x: x + tf.random.normal(tf.shape(x)),
    "tf.nn.dropout": lambda net, x: tf.nn.dropout(x, 0.5),
}


def wrapped(between, layer=None):
    keras.utils.set_random_seed(0)
    return crosslens.wrap(Net(between, layer), preprocess=None, input_shape=(3, 12, 12))


@pytest.mark.parametrize("way", RANDOM)
def test_a_network_that_draws_is_found(way):
    model = wrapped(RANDOM[way])
    assert np.abs(model.forward(X)[OUTPUT] - model.forward(X)[OUTPUT]).max() > 1e-4
    assert repeatability(model).random_at is not None


def test_one_that_could_draw_and_does_not_is_repeatable():
    model = wrapped(lambda net, x: net.layer(x))
    np.testing.assert_array_equal(model.forward(X)[OUTPUT], model.forward(X)[OUTPUT])
    found = repeatability(model)
    assert (found.random_at, found.mixed_at) == (None, None)


def test_a_norm_by_the_batch_is_found_and_its_statistics_stay():
    model = wrapped(lambda net, x: net.layer(x, training=True), L.BatchNormalization(name="bn"))
    before = [np.array(values) for values in model.network.net.get_weights()]
    assert repeatability(model).mixed_at == "bn"
    for old, new in zip(before, model.network.net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_network_s_own_seeds_stay():
    net = Net(RANDOM["Dropout left on"])
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12))
    state = np.array(net.layer.seed_generator.state)
    model.forward(X)
    np.testing.assert_array_equal(np.array(net.layer.seed_generator.state), state)
