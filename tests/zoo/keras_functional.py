"""The zoo in Keras as users write it: a subclassed model, functions of TensorFlow and operators in `call`."""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from . import keras as functional

FUNCTIONS = {
    "silu": lambda s, x: x * tf.sigmoid(x),
    "gelu": lambda s, x: 0.5 * x * (1 + tf.math.erf(x / 2**0.5)),
    "relu": lambda s, x: tf.nn.relu(x),
    "relu6": lambda s, x: tf.clip_by_value(x, 0.0, 6.0),
    "leaky_relu": lambda s, x: tf.nn.leaky_relu(x, s.slope),
    "avg_pool": lambda s, x: tf.nn.avg_pool2d(x, s.size, s.stride, "VALID"),
    "max_pool": lambda s, x: tf.nn.max_pool2d(x, s.size, s.stride, "VALID"),
    "gap": lambda s, x: tf.reduce_mean(tf.reduce_mean(x, 1), 1),
    "add": lambda s, a, b: a + b,
    "concat": lambda s, a, b: keras.ops.concatenate([a, b], axis=-1),
}


def function(step):
    """A layer of the plan's name whose `call` is the function; its class is called as the kind of step."""

    def call(self, *inputs):
        return FUNCTIONS[step.kind](step, *inputs)

    return type(step.kind, (layers.Layer,), {"call": call, "__module__": __name__})(name=step.name)


def convolution(step):
    """Padding and convolution as layers of their own."""
    out, _, size, _ = step.weights["kernel"].shape
    bias = "bias" in step.weights
    kind = layers.DepthwiseConv2D if step.groups > 1 else partial(layers.Conv2D, out)
    pad = [layers.ZeroPadding2D(step.pad, name=f"{step.name}_pad")] if step.pad else []
    return [*pad, kind(size, step.stride, use_bias=bias, name=step.name)]


def parts(step):
    if step.kind == "conv":
        return convolution(step)
    return [function(step) if step.kind in FUNCTIONS else functional.LAYERS[step.kind](step)]


class Net(keras.Model):
    """The steps one after another; the image is doubled and halved first, in the root's own code."""

    def __init__(self, plan):
        super().__init__()
        self.plan, self.parts = plan, [parts(step) for step in plan]

    def call(self, x):
        found = {self.plan[0].reads[0]: (x * 2.0) / 2.0}
        for step, (first, *rest) in zip(self.plan, self.parts, strict=True):
            y = first(*(found[name] for name in step.reads))
            for layer in rest:
                y = layer(y)
            found[step.name] = y
        return y


def build(plan, shape):
    net = Net(plan)
    net(np.zeros((1, *shape[1:], shape[0]), np.float32))
    for step, made in zip(plan, net.parts, strict=True):
        made[-1].set_weights(list(functional.stored(step)))
    return net


state = functional.state
