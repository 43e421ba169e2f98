"""Keras models on Keras' torch backend, in a process of their own: Keras runs on one backend per process."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("keras")

SCRIPT = """
import sys
import numpy as np
import keras
import torch
import crosslens
from crosslens import INPUT, OUTPUT

def net():
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Conv2D(6, 3, name="conv"), keras.layers.ReLU(6.0, name="act")],
        name="inner",
    )
    image = keras.Input((10, 10, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5)(inner(x))
    return keras.Model(image, keras.layers.Dense(5, name="fc")(keras.layers.GlobalAveragePooling2D()(x)))

keras.utils.set_random_seed(0)
model = net()
model.get_layer("norm").gamma.assign([0.5, 1.0, 2.0, -1.0])
wrapped = crosslens.wrap(model)
assert type(wrapped).__module__ == "crosslens.backends.torch.model", type(wrapped)
assert {"first", "inner/conv", "inner/act", "inner", "fc"} <= set(wrapped.layers), list(wrapped.layers)
assert wrapped.layers["first"].shape == (None, 4, 8, 8)
assert wrapped.input.shape == (3, 10, 10)

images = np.random.default_rng(0).random((2, 3, 10, 10), np.float32)
gain, offset = (torch.from_numpy(v)[:, None, None] for v in wrapped.preprocess.affine(3))
x = torch.from_numpy(images).requires_grad_()
layers = [*model.layers, *model.get_layer("inner").layers]
w = {layer.name: [v.value.detach().cpu() for v in layer.weights] for layer in layers}
conv = lambda a, name: torch.nn.functional.conv2d(a, w[name][0].permute(3, 2, 0, 1), w[name][1])
first = conv(gain * x + offset, "first")
scale, shift, mean, variance = (v[:, None, None] for v in w["norm"])
normed = (first - mean) / torch.sqrt(variance + 1e-3) * scale + shift
before = conv(normed, "conv")
act = before.clamp(0, 6)
output = act.mean((2, 3)) @ w["fc"][0] + w["fc"][1]
expected = torch.autograd.grad(output.sum(), [x, first, act])

ones = {OUTPUT: np.ones((2, 5), np.float32)}
pull = wrapped.vjp(images, ones, wrt=[INPUT, "first", "inner/act"], capture=["first", "inner/act", OUTPUT])
for name, value in (("first", first), ("inner/act", act), (OUTPUT, output)):
    np.testing.assert_allclose(pull.activations[name], value.detach().numpy(), rtol=1e-4, atol=1e-5)
for name, value in zip([INPUT, "first", "inner/act"], expected):
    np.testing.assert_allclose(pull.gradients[name], value.numpy(), rtol=1e-4, atol=1e-6)

given = np.random.default_rng(1).random(pull.activations["inner/act"].shape, np.float32)
got = wrapped.forward(images, replace={"inner/act": given})[OUTPUT]
np.testing.assert_allclose(got, given.mean((2, 3)) @ w["fc"][0].numpy() + w["fc"][1].numpy(), rtol=1e-4, atol=1e-5)

rule = wrapped.modified(relu="linear").vjp(images, ones).gradients[INPUT]
x2 = torch.from_numpy(images).requires_grad_()
pre = conv((conv(gain * x2 + offset, "first") - mean) / torch.sqrt(variance + 1e-3) * scale + shift, "conv")
(linear,) = torch.autograd.grad(pre, x2, expected[2])
np.testing.assert_allclose(rule, linear.numpy(), rtol=1e-4, atol=1e-6)

kernel = wrapped.weights("inner/conv")["kernel"]
assert kernel.shape == (6, 4, 3, 3)
other = wrapped.randomised(["fc", "inner/conv"], 0)
assert np.abs(other.forward(images)[OUTPUT] - wrapped.forward(images)[OUTPUT]).max() > 1e-3
same = other._with_weights({name: wrapped.weights(name) for name in ("fc", "inner/conv")})
np.testing.assert_array_equal(same.forward(images)[OUTPUT], wrapped.forward(images)[OUTPUT])
np.testing.assert_array_equal(wrapped.weights("inner/conv")["kernel"], kernel)
"""

FUNCTIONS = """
import numpy as np
import keras
import torch
import crosslens
from crosslens import INPUT, OUTPUT

class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = keras.layers.Conv2D(4, 3, name="c1"), keras.layers.Conv2D(4, 3, padding="same", name="c2")
        self.fc = keras.layers.Dense(5, activation="softmax", name="fc")

    def call(self, x):
        x = keras.ops.relu(self.c1(x))
        x = torch.tanh(self.c2(x)) + x
        return self.fc(keras.ops.mean(x, (1, 2)))

keras.utils.set_random_seed(0)
net = Net()
net(np.zeros((1, 10, 10, 3), np.float32))
model = crosslens.wrap(net, preprocess=None, input_shape=(3, 10, 10))
names = [*model.layers]
assert names == [INPUT, "c1", "/relu", "c2", "/tanh", "/add", "/mean", "fc/add", "fc", OUTPUT], names
shapes = [model.layers[n].shape for n in ("/relu", "/add", "/mean", "fc/add")]
assert shapes == [(None, 4, 8, 8)] * 2 + [(None, 4), (None, 5)], shapes
assert model.reads("fc") == ("fc/add",), model.reads("fc")
assert model.reads("/add") == ("/tanh", "/relu"), model.reads("/add")

images = np.random.default_rng(0).random((2, 3, 10, 10), np.float32)
found = model.forward(images, [*model.layers])
np.testing.assert_allclose(found["/relu"], np.maximum(found["c1"], 0))
np.testing.assert_allclose(found["/add"], np.tanh(found["c2"]) + found["/relu"], rtol=1e-5, atol=1e-6)
kernel = model.weights("fc")
np.testing.assert_allclose(found["fc/add"], found["/mean"] @ kernel["kernel"].T + kernel["bias"], rtol=1e-4, atol=1e-5)
exact = np.exp(found["fc/add"])
np.testing.assert_allclose(found[OUTPUT], exact / exact.sum(1, keepdims=True), rtol=1e-4)
for name in [*model.layers][1:]:
    got = model.forward(images, replace={name: found[name]})[OUTPUT]
    np.testing.assert_allclose(got, found[OUTPUT], rtol=1e-5, atol=1e-6, err_msg=name)
given = np.random.default_rng(1).random(found["/add"].shape, np.float32)
got = model.forward(images, ["fc/add"], replace={"/add": given})["fc/add"]
np.testing.assert_allclose(got, given.mean((2, 3)) @ kernel["kernel"].T + kernel["bias"], rtol=1e-4, atol=1e-5)
pull = model.vjp(images, {"fc/add": np.eye(5, dtype=np.float32)[:2]}, wrt=["/add"])
expected = np.broadcast_to(kernel["kernel"][:2, :, None, None] / 64, given.shape)
np.testing.assert_allclose(pull.gradients["/add"], expected, rtol=1e-4, atol=1e-7)
"""


def test_functions_and_what_enters_a_fused_activation_are_layers_on_torch_too():
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", FUNCTIONS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_keras_model_on_torch_is_channels_first_outside_and_right():
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
