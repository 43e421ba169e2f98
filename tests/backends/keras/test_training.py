"""A model as a loss: held against the same loss written in Keras, whatever backend the model is of."""

import gc
import warnings

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens.backends.keras.training import loss
from crosslens.errors import ImageError, ModelError, TargetError
from crosslens.objective import diversity, gram, gram_matrix, match
from onnx import TensorProto, helper, numpy_helper, save

SIZE = 12


def pictures(count, seed=2):
    return np.random.default_rng(seed).random((count, SIZE, SIZE, 3), np.float32)


def measuring():
    """A smooth network, so that gradients agree to rounding."""
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 3))
    early = keras.layers.Conv2D(6, 3, activation="tanh", name="early")(image)
    late = keras.layers.Conv2D(8, 3, activation="tanh", name="late")(early)
    return keras.Model(image, late)


NET = measuring()
FEATURES = keras.Model(NET.input, [NET.get_layer("early").output, NET.outputs[0]])


def trained(dtype="float32"):
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(4, 3, padding="same", activation="tanh", dtype=dtype),
        keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", dtype=dtype),
    ]
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])


def channels_first(maps):
    return np.ascontiguousarray(np.moveaxis(np.asarray(maps), -1, 1))


CONTENT = FEATURES(pictures(3, seed=5))[1]
STYLE = gram_matrix(channels_first(FEATURES(pictures(1, seed=6))[0]))


def losses_in_keras(images, content=CONTENT):
    """Gatys et al. 2016, equations 1 and 4, per image."""
    early, late = FEATURES(images)
    _, height, width, channels = early.shape
    flat = tf.reshape(early, (-1, height * width, channels))
    grams = tf.matmul(flat, flat, transpose_a=True)
    scale = 4 * channels**2 * (height * width) ** 2
    style = tf.reduce_sum((grams - STYLE) ** 2, (1, 2)) / scale
    return 0.5 * tf.reduce_sum((late - content) ** 2, (1, 2, 3)) + 100 * style


def onnx_file(path):
    """The same network by hand."""
    weights = [w.numpy() for w in NET.weights]
    named = {f"w{n}": w.transpose(3, 2, 0, 1) if w.ndim == 4 else w for n, w in enumerate(weights)}
    nodes = [
        helper.make_node("Conv", ["x", "w0", "w1"], ["a"]),
        helper.make_node("Tanh", ["a"], ["early"]),
        helper.make_node("Conv", ["early", "w2", "w3"], ["b"]),
        helper.make_node("Tanh", ["b"], ["late"]),
    ]
    types = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        for name, shape in (("x", (3, SIZE, SIZE)), ("late", (8, SIZE - 4, SIZE - 4)))
    ]
    constants = [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in named.items()]
    graph = helper.make_graph(nodes, "net", types[:1], types[1:], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    path = onnx_file(tmp_path_factory.mktemp("loss") / "net.onnx")
    return {"tensorflow": crosslens.wrap(NET, preprocess=None), "onnx": crosslens.wrap(path, preprocess=None)}


@pytest.fixture(params=["tensorflow", "onnx"])
def model(request, models):
    return models[request.param]


def style():
    return 100.0 * gram("early", STYLE)


def objective(content=CONTENT):
    return match("<output>", channels_first(content)) + style()


def relative(gradients, expected):
    flat, other = (np.concatenate([np.ravel(g) for g in each]) for each in (gradients, expected))
    return np.linalg.norm(flat - other) / np.linalg.norm(other)


def gradients_of(losses, net, weights=(1.0, -2.0, 0.5)):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(losses(net(pictures(3))) * weights)
    return tape.gradient(total, net.trainable_variables)


@pytest.mark.parametrize("graph", [False, True])
def test_weight_gradients_are_those_of_the_loss_written_in_keras(model, graph):
    net, of = trained(), loss(model, objective())
    run = tf.function(lambda: gradients_of(of, net)) if graph else (lambda: gradients_of(of, net))
    assert relative(run(), gradients_of(losses_in_keras, net)) < 1e-5
    np.testing.assert_allclose(of(net(pictures(3))), losses_in_keras(net(pictures(3))), rtol=1e-5)


def test_three_steps_of_fit_through_a_file_are_those_through_the_keras_model(models):
    """The content is that of each batch's own pictures."""
    model = models["onnx"]

    def weights_after(of):
        net, x = trained(), pictures(3)
        net.compile(optimizer=keras.optimizers.Adam(1e-2), loss=of)
        net.fit(x, x, batch_size=2, epochs=2, shuffle=False, verbose=0)  # batches of two and of one
        return [w.numpy() for w in net.weights]

    mine = loss(model, lambda x: match("<output>", model.forward(x)["<output>"]) + style()).with_targets
    theirs = weights_after(lambda y, x: losses_in_keras(x, FEATURES(y)[1]))
    assert relative(weights_after(mine), theirs) < 1e-5


def test_a_custom_train_step_and_add_loss(models):
    """The same three steps, each in its own way."""
    of = loss(models["onnx"], style())

    class Stepping(keras.Sequential):
        def train_step(self, data):
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(of(self(data[0], training=True)))
            self.optimizer.apply_gradients(zip(tape.gradient(value, self.weights), self.weights, strict=True))
            return {"loss": value}

    class Measured(keras.layers.Layer):
        def call(self, images):
            self.add_loss(tf.reduce_mean(of(images)))
            return images

    def weights_after(net, **given):
        net.compile(optimizer=keras.optimizers.SGD(1e-2), **given)
        net.fit(pictures(3), pictures(3), epochs=3, verbose=0)
        return [w.numpy() for w in net.weights]

    first = weights_after(trained(), loss=of.with_targets)
    for net in (Stepping(trained().layers), keras.Sequential([*trained().layers, Measured()])):
        net.build((None, SIZE, SIZE, 3))
        assert relative(weights_after(net), first) < 1e-6


def test_one_thread_for_a_tensorflow_model_in_a_graph_is_refused(models, monkeypatch):
    """It would wait for itself for ever."""
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: 1)
    images = tf.constant(pictures(2))
    with pytest.raises(ModelError, match=r"needs two inter-op threads, and there is one: call tf\.config\.threading"):
        tf.function(loss(models["tensorflow"], style()), autograph=False)(images)
    assert tf.function(loss(models["onnx"], style()))(images).shape == (2,)
    assert loss(models["tensorflow"], style())(images).shape == (2,)


def test_shapes_are_kept_in_a_graph(model):
    of = loss(model, style())

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3))])
    def traced(images):
        losses = of(images)
        assert losses.shape.as_list() == [None]
        assert tf.gradients(losses, images)[0].shape.as_list() == [None, SIZE, SIZE, 3]
        return losses

    assert traced(pictures(2)).shape == (2,)


def test_half_precision_and_double_images(model):
    of = loss(model, objective())
    exact = losses_in_keras(tf.constant(pictures(3)))
    for dtype, of_losses in ((tf.float16, tf.float32), (tf.bfloat16, tf.float32), (tf.float64, tf.float64)):
        images = tf.cast(pictures(3), dtype)
        with tf.GradientTape() as tape:
            tape.watch(images)
            losses = of(images)
        assert (losses.dtype, tape.gradient(losses, images).dtype) == (of_losses, dtype)
        np.testing.assert_allclose(losses, exact, rtol=5e-2)


def test_channels_first_where_keras_is_set_so(model):
    keras.config.set_image_data_format("channels_first")
    try:
        of = loss(model, objective())
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(of(channels_first(pictures(3))), losses_in_keras(pictures(3)), rtol=1e-5)


def test_a_second_derivative_is_refused_in_one_line(model):
    of, images = loss(model, objective()), tf.constant(pictures(3))
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            losses = of(images)
        penalty = tf.reduce_sum(inner.gradient(losses, images) ** 2)
    with pytest.raises(ModelError, match="a crosslens loss has no second derivative: leave"):
        outer.gradient(penalty, images)


def test_images_outside_the_bounds_are_taken_as_they_are_with_a_warning(model):
    of = loss(model, objective())
    with pytest.warns(UserWarning, match=r"outside the model's bounds \[0, 1\]; they are taken as they are: clamp"):
        losses = of(3 * pictures(3) - 1)
    np.testing.assert_allclose(losses, losses_in_keras(3 * pictures(3) - 1), rtol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of(pictures(3))


def test_what_cannot_be_measured_is_refused_in_one_line(model):
    of = loss(model, objective())
    with pytest.raises(ImageError, match=r"reach from .* to 25\d.*, far outside the model's bounds \[0, 1\]: scale"):
        of(255 * pictures(3))
    with pytest.raises(ImageError, match=r"are uint8 \(3, 12, 12, 3\); give \(N, H, W, C\) of a floating type"):
        of((255 * pictures(3)).astype(np.uint8))
    with pytest.raises(ImageError, match=r"are float32 \(12, 12, 3\); give \(N, H, W, C\)"):
        of(pictures(3)[0])
    with pytest.raises(TargetError, match=r"from targets: call loss\.with_targets\(targets, images\)"):
        loss(model, lambda x: style())(pictures(3))
    with pytest.raises(ModelError, match=r"loss takes a model: model = crosslens\.wrap\(network\)"):
        loss(NET, style())


def test_what_is_not_finite_is_handed_on_for_its_image_alone(model):
    images = pictures(3)
    images[1, 2, 2, 0] = np.nan
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        losses = loss(model, objective())(images)
    gradient = tape.gradient(losses, images).numpy()
    assert np.isnan(losses).tolist() == [False, True, False]
    assert np.isnan(gradient[1]).all()
    assert np.isfinite(gradient[[0, 2]]).all()


def test_losses_that_compare_images_have_a_gradient_together_only(model):
    of, net = loss(model, diversity("early")), trained()
    assert all(np.isfinite(g).all() for g in gradients_of(of, net, (0.5, 0.5, 0.5)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="compares the images of a batch with each other"):
        gradients_of(of, net)


def test_nothing_stays_from_step_to_step(models):
    """A new objective for each batch, in eager steps as in a loop of one's own."""
    model, net = models["tensorflow"], trained()

    def steps(count):
        for step in range(count):
            gradients_of(loss(model, objective(CONTENT + step)), net)
        gc.collect()
        return sum(issubclass(type(each), tf.Tensor | np.ndarray) for each in gc.get_objects())

    steps(3)
    before = steps(3)
    assert steps(15) <= before + 5
