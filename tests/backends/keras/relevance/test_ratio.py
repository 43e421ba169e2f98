"""slope="ratio": dx = dy f(x) / x at activation functions, whatever Keras or TensorFlow writes them with."""

from math import erf

import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT

from .networks import calling

A, L = keras.activations, keras.layers
X = np.random.default_rng(0).uniform(-8, 8, (2, 3, 4, 5)).astype(np.float32)
DY = np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(x + 3, 0, 6) / 6


def gelu(x):
    return x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2


def tanh_gelu(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def softplus(x):
    return np.log1p(np.exp(x))


def elu(x, scale=1.0):
    return np.where(x > 0, x, scale * np.expm1(x))


FORMS = {
    "relu": (A.relu, lambda x: np.maximum(x, 0)),
    "relu6": (A.relu6, lambda x: np.clip(x, 0, 6)),
    "ReLU layer to 4 with a slope": (
        L.ReLU(4.0, negative_slope=0.3),
        lambda x: np.where(x < 0, 0.3 * x, np.minimum(x, 4)),
    ),
    "PReLU layer": (L.PReLU(keras.initializers.Constant(0.3)), lambda x: np.where(x < 0, 0.3 * x, x)),
    "leaky_relu": (A.leaky_relu, lambda x: np.where(x < 0, 0.2 * x, x)),
    "clip": (lambda x: keras.ops.clip(x, -1, 1), lambda x: np.clip(x, -1, 1)),
    "elu": (A.elu, elu),
    "elu with another scale": (lambda x: A.elu(x, 0.5), lambda x: elu(x, 0.5)),
    "selu": (A.selu, lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772)),
    "celu": (lambda x: A.celu(x, 2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
    "sigmoid": (A.sigmoid, sigmoid),
    "tf.sigmoid in an Activation layer": (L.Activation(tf.sigmoid), sigmoid),
    "tanh": (tf.tanh, np.tanh),
    "softplus": (A.softplus, softplus),
    "softsign": (A.softsign, lambda x: x / (1 + abs(x))),
    "softsign, written out": (lambda x: x / (1 + abs(x)), lambda x: x / (1 + abs(x))),
    "hard_sigmoid": (A.hard_sigmoid, hard_sigmoid),
    "hard_silu": (A.hard_silu, lambda x: x * hard_sigmoid(x)),
    "silu": (A.silu, lambda x: x * sigmoid(x)),
    "tf.nn.silu with a factor": (lambda x: tf.nn.silu(x, 1.7), lambda x: x * sigmoid(1.7 * x)),
    "silu, written out": (lambda x: x * keras.ops.sigmoid(x), lambda x: x * sigmoid(x)),
    "gelu": (A.gelu, gelu),
    "gelu by tanh": (lambda x: A.gelu(x, approximate=True), tanh_gelu),
    "gelu, written out": (lambda x: 0.5 * x * (1.0 + tf.math.erf(x / 2**0.5)), gelu),
    "mish": (A.mish, lambda x: x * np.tanh(softplus(x))),
    "mish, written out": (lambda x: x * tf.tanh(tf.math.softplus(x)), lambda x: x * np.tanh(softplus(x))),
    "log_sigmoid": (A.log_sigmoid, lambda x: -softplus(-x)),
    "tanh_shrink": (A.tanh_shrink, lambda x: x - np.tanh(x)),
    "hard_shrink": (A.hard_shrink, lambda x: np.where(abs(x) > 0.5, x, 0)),
    "soft_shrink": (A.soft_shrink, lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0)),
    "erf": (tf.math.erf, np.vectorize(erf)),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_activation_function_has_the_slope_of_its_value(form):
    function, formula = FORMS[form]
    got = calling(function).modified(slope="ratio").vjp(X, {OUTPUT: DY}).gradients[INPUT]
    x = X.astype(np.float64)
    np.testing.assert_allclose(got, DY * formula(x) / x, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (A.tanh, 1),
        (A.gelu, 0.5),
        (A.silu, 0.5),
        (A.sigmoid, 0.25),
        (A.hard_silu, 0.5),
        (A.elu, 1),
        (A.hard_sigmoid, 1 / 6),
    ],
)
def test_at_zero_it_is_the_derivative(function, slope):
    x = np.zeros_like(X)
    x[0] = 1e-11
    got = calling(function).modified(slope="ratio").vjp(x, {OUTPUT: DY}).gradients[INPUT]
    np.testing.assert_allclose(got, slope * DY, rtol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        tf.exp,
        lambda x: tf.sqrt(x + 9),
        tf.square,
        lambda x: 1 / (x + 9),
        tf.abs,
        tf.sin,
    ],
)
def test_what_is_no_activation_function_keeps_its_derivative(function):
    model = calling(function)
    exact, got = (each.vjp(X, {OUTPUT: DY}).gradients[INPUT] for each in (model, model.modified(slope="ratio")))
    np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-7)


def test_a_gate_is_no_activation_of_what_it_scales():
    """x * sigmoid(mean(x)): the product's rule for x, the ratio at the sigmoid for the mean."""
    model = calling(lambda x: x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True)))
    got = model.modified(slope="ratio").vjp(X, {OUTPUT: DY}).gradients[INPUT]
    mean = X.mean((2, 3), keepdims=True, dtype=np.float64)
    gate = sigmoid(mean)
    expected = DY * gate + (DY * X).sum((2, 3), keepdims=True) * gate / mean / 20
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_tensors_within_a_function_that_is_written_out_have_their_derivative():
    model = calling(lambda x: tf.tanh(x) * keras.ops.sigmoid(x))
    (inner,) = [name for name in model.layers if "sigmoid" in name]
    got = model.modified(slope="ratio").vjp(X, {OUTPUT: DY}, wrt=[inner, INPUT]).gradients
    np.testing.assert_allclose(got[inner], DY * np.tanh(X), rtol=1e-4, atol=1e-6)
    x = X.astype(np.float64)
    np.testing.assert_allclose(got[INPUT], DY * np.tanh(x) * sigmoid(x) / x, rtol=1e-4, atol=1e-6)


def test_a_rule_for_rectifiers_goes_before():
    model = calling(lambda x: tf.tanh(A.relu6(x)))
    got = model.modified(relu="linear", slope="ratio").vjp(X, {OUTPUT: DY}).gradients[INPUT]
    y = np.clip(X, 0, 6)
    np.testing.assert_allclose(got, DY * np.where(y == 0, 1, np.tanh(y) / np.where(y == 0, 1, y)), rtol=1e-5)
    np.testing.assert_allclose(
        model.vjp(X, {OUTPUT: DY}).gradients[INPUT], DY * ((X > 0) & (X < 6)) * (1 - np.tanh(y) ** 2), atol=1e-6
    )
