"""Backward rules at rectifiers: each form that Keras and TensorFlow have, against the formula of `Model.modified`."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError, ParameterError
from crosslens.introspection.unit_layers import rectified_layers

L = keras.layers
RULES = ("exact", "guided", "deconvnet", "linear")
X = np.random.default_rng(0).uniform(-8, 8, (2, 3, 4, 4)).astype(np.float32)
DY = np.random.default_rng(1).standard_normal((2, 3, 4, 4)).astype(np.float32)


class Calling(keras.Model):
    """A subclassed network whose call is one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def by_layer(layer):
    return keras.Sequential([keras.Input((4, 4, 3)), layer])


def passing(**options):
    """A convolution that changes nothing but applies an activation."""
    return L.Conv2D(3, 1, use_bias=False, kernel_initializer=lambda *_, **__: np.eye(3)[None, None], **options)


def slopes(below, inside, above=None, top=np.inf):
    """f' of a clipped leaky rectifier."""
    return lambda x: np.where(x < 0, below, np.where(x < top, inside, inside if above is None else above))


STEP, SIX, LEAKY = slopes(0, 1), slopes(0, 1, 0, 6), slopes(0.3, 1)
FORMS = {
    "ReLU layer": (lambda: by_layer(L.ReLU()), STEP),
    "ReLU layer to 6": (lambda: by_layer(L.ReLU(6.0)), SIX),
    "ReLU layer to 4": (lambda: by_layer(L.ReLU(4.0)), slopes(0, 1, 0, 4)),
    "ReLU layer with a slope": (lambda: by_layer(L.ReLU(negative_slope=0.3)), LEAKY),
    "ReLU layer to 4 with a slope": (lambda: by_layer(L.ReLU(4.0, negative_slope=0.3)), slopes(0.3, 1, 0, 4)),
    "LeakyReLU layer": (lambda: by_layer(L.LeakyReLU(negative_slope=0.3)), LEAKY),
    "PReLU layer": (lambda: by_layer(L.PReLU("ones", shared_axes=[1, 2])), slopes(1, 1)),
    "PReLU layer, own slopes": (lambda: by_layer(L.PReLU(keras.initializers.Constant(0.3))), LEAKY),
    "Activation layer": (lambda: by_layer(L.Activation("relu")), STEP),
    "activation of a convolution": (lambda: by_layer(passing(activation="relu")), STEP),
    "layer as an activation": (lambda: by_layer(passing(activation=L.ReLU(6.0))), SIX),
    "keras.activations": (lambda: Calling(keras.activations.relu), STEP),
    "keras.ops.relu": (lambda: Calling(keras.ops.relu), STEP),
    "keras.ops.relu6": (lambda: Calling(keras.ops.relu6), SIX),
    "keras.ops.leaky_relu": (lambda: Calling(lambda x: keras.ops.leaky_relu(x, 0.3)), LEAKY),
    "keras.ops.clip": (lambda: Calling(lambda x: keras.ops.clip(x, 0, 6)), SIX),
    "tf.nn.relu": (lambda: Calling(lambda x: tf.nn.relu(features=x)), STEP),
    "tf.nn.relu6": (lambda: Calling(tf.nn.relu6), SIX),
    "tf.nn.relu as an activation": (lambda: by_layer(passing(activation=tf.nn.relu)), STEP),
    "tf.nn.leaky_relu": (lambda: Calling(lambda x: tf.nn.leaky_relu(x, alpha=0.3)), LEAKY),
    "tf.raw_ops.Relu": (lambda: Calling(lambda x: tf.raw_ops.Relu(features=x)), STEP),
    "operation of a functional graph": (lambda: graph(keras.ops.relu), STEP),
}


def graph(operation):
    image = keras.Input((4, 4, 3))
    return keras.Model(image, operation(image))


def formula(rule, slope, x, dy):
    """Springenberg et al. 2015, figure 1, with f' for the mask."""
    positive = np.where(dy > 0, dy, 0)
    return {"exact": slope(x) * dy, "guided": slope(x) * positive, "deconvnet": positive, "linear": dy}[rule]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_rectifier_obeys_each_rule(form):
    build, slope = FORMS[form]
    model = crosslens.wrap(build(), preprocess=None, input_shape=(3, 4, 4))
    replaced = {INPUT: X}
    for rule in RULES:
        got = model.modified(relu=rule).vjp(X, {OUTPUT: DY}, replace=replaced).gradients[INPUT]
        np.testing.assert_allclose(got, formula(rule, slope, X, DY), rtol=1e-6, err_msg=rule)


def test_hard_sigmoid_is_no_rectifier_though_built_of_one():
    model = crosslens.wrap(Calling(keras.ops.hard_sigmoid), preprocess=None, input_shape=(3, 4, 4))
    with pytest.raises(ModelError, match=r"has no rectifier"):
        model.modified(relu="guided")


def test_the_original_and_other_users_of_keras_stay_exact():
    net = by_layer(L.ReLU())
    model = crosslens.wrap(net, preprocess=None)
    model.modified(relu="guided").vjp(X, {OUTPUT: DY})
    with tf.GradientTape() as tape:
        image = tf.constant(X)
        tape.watch(image)
        y = tf.nn.relu(image)
    np.testing.assert_array_equal(tape.gradient(y, image, DY).numpy(), STEP(X) * DY)
    np.testing.assert_array_equal(model.vjp(X, {OUTPUT: DY}).gradients[INPUT], STEP(X) * DY)


def test_a_network_without_rectifiers_is_refused():
    model = crosslens.wrap(by_layer(L.Activation("tanh")))
    with pytest.raises(ModelError, match=r"this network has no rectifier"):
        model.modified(relu="guided")
    with pytest.raises(ParameterError, match=r"no relu rule 'gided'; there are exact"):
        model.modified(relu="gided")
    assert model.modified().forward(X)[OUTPUT].shape == (2, 3, 4, 4)


def test_a_rectifier_out_of_reach_is_refused():
    def in_a_branch(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x), lambda: x)

    model = crosslens.wrap(Calling(in_a_branch), preprocess=None, input_shape=(3, 4, 4))
    with pytest.raises(ModelError, match=r"cannot reach the rectifiers .*Relu inside a loop or a compiled function"):
        model.modified(relu="guided")


def test_a_networks_own_tf_function_is_refused_and_not_spoilt():
    compiled = tf.function(tf.nn.relu)
    model = crosslens.wrap(Calling(compiled), preprocess=None, input_shape=(3, 4, 4))
    with pytest.raises(ModelError, match=r"the network calls the tf.function .*, into which another backward rule"):
        model.modified(relu="guided")
    np.testing.assert_array_equal(model.vjp(X, {OUTPUT: DY}).gradients[INPUT], STEP(X) * DY)


# Published values: captum's BasicModel_ConvNet_One_Conv (tests/helpers/basic_models.py), input arange(16) as 4 x 4.
GUIDED = [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]]
DECONVNET = [[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]
CAM = {"conv1": [[11.25, 13.5], [20.25, 22.5]], "relu1": [[0, 4], [28, 32.5]]}


SPEC = crosslens.model.InputSpec((1, 4, 4), None)


@pytest.fixture(scope="module")
def captums_network():
    net = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            L.Conv2D(2, 3, kernel_initializer="ones", name="conv1"),
            L.ReLU(name="relu1"),
            L.Permute((3, 1, 2)),
            L.Flatten(),
            L.Dense(4, use_bias=False, activation="relu", name="fc1"),
        ]
    )
    net.get_layer("conv1").bias.assign([-50.0, -75.0])
    net.get_layer("fc1").kernel.assign(np.repeat([[1.0], [-1.0]], [5, 3], axis=0) * np.ones((1, 4)))
    return crosslens.wrap(net, preprocess=None, input_shape=SPEC)


ARANGE = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
FIRST = np.eye(4, dtype=np.float32)[:1]


@pytest.mark.parametrize(("rule", "expected"), [("guided", GUIDED), ("deconvnet", DECONVNET)])
def test_guided_backpropagation_and_deconvnet_are_captums(captums_network, rule, expected):
    got = captums_network.modified(relu=rule).vjp(ARANGE, {OUTPUT: FIRST}).gradients[INPUT]
    np.testing.assert_allclose(got[0, 0], expected)


@pytest.mark.parametrize("layer", CAM)
def test_grad_cam_is_captums(captums_network, layer):
    result = crosslens.method("grad_cam", layer=layer)(captums_network, ARANGE, target=0)
    np.testing.assert_allclose(result.values[0], CAM[layer], rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda x: keras.ops.clip(x, 0, 6), True),
        (lambda x: keras.activations.relu(x, max_value=4.0), True),
        (L.Lambda(tf.nn.relu), True),
        (L.Lambda(lambda x: keras.ops.clip(x, 0.0, 1.0)), True),
        (lambda x: keras.ops.clip(x, -1, 1), False),
        (lambda x: keras.ops.clip(x, 1, 2), False),
        (L.Dropout(0.5), False),
    ],
)
def test_a_rectifier_and_a_clip_from_zero_are_rectified_layers_whatever_called_them(function, found):
    image = keras.Input((4, 4, 3))
    y = L.Conv2D(2, 1, name="before")(image)
    model = crosslens.wrap(keras.Model(image, L.Flatten()(function(y))), preprocess=None)
    rectified = rectified_layers(model)
    assert len(rectified) == found
    assert all(model.reads(name) == ("before",) for name in rectified)
    assert bool(model.nonlinearities) == found
