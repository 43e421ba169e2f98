"""The awkward networks in Keras on TensorFlow, with functions of keras.ops and tf inside `call`."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from .weights import HIDDEN, SIZE, WIDTH, W


def conv(kernel, bias, **settings):
    out, _, *sizes = W[kernel].shape
    kind = layers.Conv3D if len(sizes) == 3 else layers.Conv2D
    axes = (*range(2, W[kernel].ndim), 1, 0)
    weights = {"kernel_initializer": constant(W[kernel].transpose(axes))}
    weights |= {"bias_initializer": constant(W[bias])} if bias else {}
    return kind(out, sizes[0], padding="same", **weights, **settings)


def constant(values):
    return lambda shape, dtype=None: ops.reshape(ops.convert_to_tensor(values, dtype), shape)


def dense(kernel, **settings):
    return layers.Dense(W[kernel].shape[0], kernel_initializer=constant(W[kernel].T), **settings)


class Trunk(layers.Layer):
    def __init__(self):
        super().__init__(name="trunk")
        self.conv1, self.conv2 = conv("conv1", "bias1"), conv("conv2", "bias2")

    def call(self, x):
        x = ops.average_pool(tf.nn.relu(self.conv1(x)), 2)
        return ops.relu(self.conv2(x) + x)


class Net(keras.Model):
    """A subclassed model of the trunk, or of nothing, and what follows it."""

    def __init__(self, run, trunk=True, **parts):
        super().__init__()
        self.trunk = Trunk() if trunk else None
        for name, part in parts.items():
            setattr(self, name, part)
        self._run = run

    def call(self, x):
        return self._run(self, self.trunk(x) if self.trunk else x)


def functional(net, y):
    y = tf.concat([y, tf.nn.relu(1 - y)], axis=-1)
    return net.fc(ops.mean(y, axis=(1, 2)))


def recurrent():
    x = keras.Input((SIZE, SIZE, 3))
    y = layers.Permute((2, 3, 1))(layers.ReLU()(conv("conv1", "bias1")(x)))
    y = layers.Reshape((SIZE, WIDTH * SIZE))(y)
    lstm = layers.LSTM(HIDDEN)
    net = keras.Model(x, dense("last")(lstm(y)))
    lstm.set_weights([W["lstm_in"].T, W["lstm_again"].T, W["lstm_bias"]])
    return net


def two_inputs():
    x, scale = keras.Input((SIZE, SIZE, 3), name="image"), keras.Input((WIDTH,), name="scale")
    pooled = layers.GlobalAveragePooling2D()(Trunk()(x))
    return keras.Model([x, scale], dense("head")(layers.Multiply()([pooled, scale])))


def mean(net, y):
    return net.head(ops.mean(y, axis=tuple(range(1, len(y.shape) - 1))))


def channels_last(net, x):
    return net.head(ops.mean(ops.sigmoid(net.norm(net.conv(x))), axis=(1, 2)))


def mixing(net, x):
    y = net.conv(x)
    centred = y - ops.mean(y, axis=(0, 1, 2), keepdims=True)
    return mean(net, ops.relu(centred / ops.sqrt(ops.mean(centred**2, axis=(0, 1, 2), keepdims=True) + 1e-5)))


def segmentation(net, y):
    return ops.repeat(ops.repeat(net.pixels(y), 2, axis=1), 2, axis=2)


def norm():
    weights = {"gamma_initializer": constant(W["norm"]), "beta_initializer": constant(W["offset"])}
    return layers.LayerNormalization(epsilon=1e-3, **weights)


BUILDERS = {
    "functional": lambda: Net(functional, fc=dense("wide")),
    "channels_last": lambda: Net(
        channels_last, trunk=False, conv=conv("conv1", "bias1"), norm=norm(), head=dense("head")
    ),
    "sigmoid": lambda: Net(mean, head=dense("one", activation="sigmoid")),
    "regression": lambda: Net(mean, head=dense("one")),
    "two_inputs": two_inputs,
    "volume": lambda: Net(
        lambda net, x: mean(net, ops.relu(net.conv(x))), trunk=False, conv=conv("volume", "bias1"), head=dense("head")
    ),
    "batch_mixing": lambda: Net(mixing, trunk=False, conv=conv("conv1", "bias1"), head=dense("head")),
    "random": lambda: Net(
        lambda net, y: mean(net, net.drop(y, training=True)), drop=layers.Dropout(0.5), head=dense("head")
    ),
    "segmentation": lambda: Net(segmentation, pixels=conv("pixels", None, use_bias=False)),
    "recurrent": recurrent,
}
SHAPES = {"volume": (SIZE // 2, SIZE, SIZE, 1)}


def build(name):
    net = BUILDERS[name]()
    if not net.built:
        net(np.zeros((1, *SHAPES.get(name, (SIZE, SIZE, 3))), np.float32))
    return net
