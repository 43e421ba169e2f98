"""A gradient that TensorFlow loses on its way to the image is refused; zeros are an answer only without influence."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError

X = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


def in_numpy(y):
    found = tf.numpy_function(lambda a: a * 2, [y], tf.float32)
    return tf.ensure_shape(found, y.shape)


CUTS = {
    "stop": tf.stop_gradient,
    "numpy": in_numpy,
    "places": lambda y: tf.one_hot(tf.argmax(y, -1), 4),
    "integers": lambda y: tf.cast(tf.cast(100 * y, tf.int32), tf.float32),
}


class Net(keras.Model):
    def __init__(self, cut):
        super().__init__()
        self.cut, self.conv = cut, keras.layers.Conv2D(4, 3, name="conv")
        self.head, self.beside = keras.layers.Dense(5, name="head"), keras.layers.Dense(2, name="beside")
        self.rows = keras.layers.Embedding(1, 2, name="rows")
        self(tf.zeros((1, 8, 8, 3)))

    def call(self, x):
        y = self.cut(tf.nn.relu(self.conv(x)))
        fixed = self.rows(tf.zeros(tf.shape(x)[:1], tf.int32))
        beside = self.beside(tf.reshape(x, [-1, 192])) + fixed
        return {"out": tf.nn.softmax(self.head(tf.reduce_mean(y, [1, 2]))), "beside": beside}


def wrapped(cut):
    return crosslens.wrap(Net(cut), preprocess=None, input_shape=(3, 8, 8), output="out")


@pytest.mark.parametrize("cut", CUTS)
def test_a_gradient_that_cannot_reach_the_image_is_refused(cut):
    model = wrapped(CUTS[cut])
    for target in (1, "output:1"):
        with pytest.raises(ModelError, match=r"no gradient gets from layer '.*' to the image"):
            crosslens.method("gradient")(model, X, target)
    with pytest.raises(ModelError, match="no gradient gets from layer 'head' to the image"):
        crosslens.method("grad_cam", layer="conv")(model, X, 1)


def test_without_influence_gradients_are_zeros():
    model = wrapped(lambda y: y)
    assert not model.vjp(X, {"rows": np.ones((2, 2), np.float32)}).gradients[INPUT].any()
    ones = np.ones((2, 2), np.float32)
    assert not model.vjp(X, {"beside": ones}, wrt=["conv"]).gradients["conv"].any()
    maps = model.forward(X, ["conv"])["conv"]
    pull = model.vjp(X, {OUTPUT: np.ones((2, 5), np.float32)}, replace={"conv": maps})
    assert not pull.gradients[INPUT].any()
