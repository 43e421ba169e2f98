"""Rules on a Keras model on Keras' torch backend, in a process of its own: Keras runs on one backend per process."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("keras")

SCRIPT = """
import keras
import numpy as np
import crosslens
from crosslens import INPUT, OUTPUT
from crosslens.model import ABSORBED
from crosslens.model.kernel_rules import Branch, KernelRule

keras.utils.set_random_seed(0)
image = keras.Input((8, 8, 3))
x = keras.layers.Conv2D(4, 3, name="first", activation="relu")(image)
x = keras.layers.DepthwiseConv2D(3, name="depthwise", activation="tanh", depth_multiplier=2)(x)
x = keras.layers.Conv2DTranspose(5, 3, name="up", activation="silu")(x)
x = keras.layers.Reshape((36, 5))(x)
x = keras.layers.Dense(5, name="tokens", activation="gelu")(x)
x = keras.layers.Dense(5, name="fc")(keras.layers.Flatten()(x))
net = keras.Model(image, x)
for each in net.weights:
    each.assign(each + 0.1)
model = crosslens.wrap(net)
images = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
ones = {OUTPUT: np.ones((2, 5), np.float32)}
plain = model.vjp(images, ones, wrt=[INPUT, "fc"], capture=["fc"])
for name in ("first", "depthwise", "up", "tokens", "fc"):
    kernel, bias = (model.weights(name)[key] for key in ("kernel", "bias"))
    # the layer's own kernel as a branch: the gradient itself, and the bias takes its own gradient
    rule = KernelRule((Branch((("any", kernel),), bias=bias),))
    got = model.modified(kernels={name: rule}).vjp(images, ones, wrt=[INPUT, ABSORBED]).gradients
    np.testing.assert_allclose(got[INPUT], plain.gradients[INPUT], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(got[ABSORBED][:, 1], 0, atol=1e-3)
    if name == "fc":
        np.testing.assert_allclose(got[ABSORBED][:, 0], bias.sum(), rtol=1e-4)
half = {"fc": KernelRule((Branch(weight=0.5),))}
got = model.modified(kernels=half).vjp(images, ones).gradients[INPUT]
np.testing.assert_allclose(got, plain.gradients[INPUT] / 2, rtol=1e-4, atol=1e-5)
print("right")
"""


COMPLETE = """
import keras
import numpy as np
import crosslens
from crosslens import INPUT, OUTPUT

keras.utils.set_random_seed(0)
layers = keras.layers
image = keras.Input((8, 8, 4))
x = layers.BatchNormalization()(layers.Conv2D(8, 3, activation="relu", padding="same")(image))
gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
x = layers.MaxPooling2D(2)(layers.Multiply()([x, gate]))
x = layers.Reshape((16, 8))(layers.Activation("swish")(layers.DepthwiseConv2D(3, padding="same")(x)))
y = layers.LayerNormalization()(x)
x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
x = layers.PReLU()(layers.GroupNormalization(2)(layers.Dense(8, activation="gelu")(x)))
net = keras.Model(image, layers.Dense(5, activation="softmax")(layers.GlobalMaxPooling1D()(layers.ELU()(x))))
model = crosslens.wrap(net, preprocess=None)
images = np.random.default_rng(0).random((6, 4, 8, 8), np.float32)
seed = np.repeat(np.eye(5, dtype=np.float32)[2:3], 6, 0)
secant = model.modified(slope="secant")
pull = secant.vjp(images, {OUTPUT: seed}, capture=[OUTPUT])
shares = (pull.gradients[INPUT][:3].astype(np.float64) * (images[:3] - images[3:])).sum((1, 2, 3))
output = pull.activations[OUTPUT][:, 2]
np.testing.assert_allclose(shares, output[:3] - output[3:], rtol=1e-4, atol=1e-6)
assert secant.caveats() == ()
scaled = keras.Model(image, layers.Flatten()(layers.Rescaling(2.0)(layers.LayerNormalization(center=False)(image))))
plain, half = (
    m.vjp(images, {OUTPUT: np.ones((6, 256), np.float32)}).gradients[INPUT]
    for m in (crosslens.wrap(scaled, preprocess=None).modified(products=p) for p in ("exact", "half"))
)
np.testing.assert_allclose(half, plain, rtol=1e-5, atol=1e-6)  # a product with a weight is not one of two inputs
assert all(each.value.requires_grad for each in net.trainable_weights)
print("right")
"""


@pytest.mark.parametrize("script", [SCRIPT, COMPLETE], ids=["kernels", "secants"])
def test_rules_reach_the_layers_of_a_keras_model(script):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "right" in done.stdout, done.stderr[-2000:]
