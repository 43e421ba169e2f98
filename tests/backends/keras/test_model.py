"""The Keras backend against GradientTapes written by hand, on every way to build a Keras model."""

import subprocess
import sys
import threading

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.backends.keras.traced_functions import MOST_FUNCTIONS
from crosslens.errors import LayerError, ModelError, ParameterError
from crosslens.introspection.default_layer import spatial_layers
from crosslens.model import InputSpec

L = keras.layers
SIZE = 8


@pytest.fixture
def x():
    return np.random.default_rng(0).random((2, 3, SIZE, SIZE), dtype=np.float32)


def functional():
    image = keras.Input((SIZE, SIZE, 3))
    y = L.Conv2D(4, 3, activation="silu", name="c1")(image)
    y = L.BatchNormalization(name="bn")(y) * 1.5
    y = L.Conv2D(5, 3, padding="same", name="c2")(L.Dropout(0.5, name="drop")(y))
    return keras.Model(image, L.Dense(6, name="head")(L.GlobalAveragePooling2D(name="gap")(y)))


def sequential():
    return keras.Sequential(
        [L.Conv2D(4, 3, activation="tanh", name="c1"), L.GlobalAveragePooling2D(name="gap"), L.Dense(6, name="head")]
    )


class Block(L.Layer):
    """A sub-layer hidden in a plain list of a dict, called twice."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv = L.Conv2D(3, 3, padding="same", name="conv")

    def call(self, x):
        return tf.math.softplus(self.conv(self.conv(x)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.block, self.inner, self.drop = Block(name="block"), sequential(), L.Dropout(0.5, name="drop")
        self.inner.name = "inner"

    def call(self, x, training=None):
        return self.inner(self.drop(self.block(x), training=training))


def nested():
    image = keras.Input((SIZE, SIZE, 3))
    trunk_in = keras.Input((SIZE, SIZE, 3))
    trunk = keras.Model(trunk_in, L.Conv2D(4, 3, activation="gelu", name="c1")(trunk_in), name="trunk")
    shared = L.Conv2D(4, 3, padding="same", activation="tanh", name="shared")
    y = shared(shared(trunk(image)))
    return keras.Model(image, L.Dense(6, name="head")(L.Flatten(name="flat")(y)))


def tape_gradient(net, x, seed, prepare=lambda x: x):
    """By hand, eagerly: NHWC in, the gradient of <seed, output> back in NCHW."""
    image = tf.constant(x.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        y = net(prepare(image), training=False)
        value = tf.reduce_sum(y * seed)
    return y.numpy(), tape.gradient(value, image).numpy().transpose(0, 3, 1, 2)


@pytest.mark.parametrize("build", [functional, sequential, Subclassed, nested])
def test_output_and_gradient_are_a_tapes(build, x):
    net = build()
    model = crosslens.wrap(net, preprocess="tf", input_shape=(3, SIZE, SIZE))
    seed = np.random.default_rng(1).random((2, 6), dtype=np.float32)
    pull = model.vjp(x, {OUTPUT: seed}, capture=[OUTPUT])
    y, gradient = tape_gradient(net, x, seed, lambda image: image * 2 - 1)
    np.testing.assert_allclose(pull.activations[OUTPUT], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-4, atol=1e-7)


def test_reversed_channels_are_those_of_caffe_preprocessing(x):
    net = functional()
    seed = np.ones((2, 6), np.float32)
    mean = np.array([103.939, 116.779, 123.68], np.float32)
    model = crosslens.wrap(net, preprocess="caffe")
    _, gradient = tape_gradient(net, x, seed, lambda image: tf.reverse(image, [3]) * 255 - mean)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: seed}).gradients[INPUT], gradient, rtol=1e-4, atol=1e-6)


def test_layers_are_named_by_nesting_in_execution_order_and_reuse_is_numbered():
    names = list(crosslens.wrap(nested()).layers)
    shared = ["shared/add", "shared", "shared/add#2", "shared#2"]
    assert names == [INPUT, "trunk/c1/add", "trunk/c1", "trunk", *shared, "flat", "head", OUTPUT]
    names = list(crosslens.wrap(Subclassed(), input_shape=(3, SIZE, SIZE)).layers)
    assert names[1:4] == ["block/conv", "block/conv#2", "block"]
    assert names[4:] == ["drop", "inner/c1/add", "inner/c1", "inner/gap", "inner/head", "inner", OUTPUT]


def test_the_inner_name_is_an_alias_where_it_is_unique(x):
    model = crosslens.wrap(nested())
    assert model.layer("c1").name == "trunk/c1"
    assert model.forward(x, ["c1"])["c1"].shape == (2, 4, 6, 6)


def test_operations_of_a_functional_graph_are_layers():
    assert "multiply" in [layer.kind for layer in crosslens.wrap(functional()).layers.values()]


def test_shapes_are_channels_first():
    layers = crosslens.wrap(functional()).layers
    assert (layers["c2"].shape, layers["gap"].shape) == ((None, 5, 6, 6), (None, 5))


def test_gradient_at_an_inner_layer_is_a_tapes(x):
    net = functional()
    model = crosslens.wrap(net, preprocess=None)
    found = model.vjp(x, {OUTPUT: np.ones((2, 6), np.float32)}, wrt=["c1"], capture=["c1"])
    maps = net.get_layer("c1")(x.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        y = net.get_layer("c2")(net.get_layer("bn")(maps, training=False) * 1.5)
        value = tf.reduce_sum(net.get_layer("head")(net.get_layer("gap")(y)))
    np.testing.assert_allclose(found.activations["c1"], maps.numpy().transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)
    expected = tape.gradient(value, maps).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.gradients["c1"], expected, rtol=1e-4, atol=1e-7)


def test_dropout_is_told_apart_from_the_layer_that_it_passes_on(x):
    model = crosslens.wrap(functional())
    before, dropped = list(model.layers)[3], "drop"
    seed = np.ones((2, 4, 6, 6), np.float32)
    found = model.vjp(x, {before: seed}, wrt=[before, dropped]).gradients
    assert (found[before] == 1).all()
    assert not found[dropped].any()


def test_replaced_activations_run_on_through_the_rest_of_the_network(x):
    net = nested()
    model = crosslens.wrap(net)
    given = np.random.default_rng(2).random((2, 4, 6, 6), dtype=np.float32)
    got = model.forward(x, [OUTPUT, "shared"], replace={"shared": given})
    maps = net.get_layer("shared")(given.transpose(0, 2, 3, 1))
    expected = net.get_layer("head")(net.get_layer("flat")(maps)).numpy()
    np.testing.assert_allclose(got[OUTPUT], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(got["shared"], given)


def test_one_function_serves_every_batch_size_and_the_cache_is_bounded(x):
    model = crosslens.wrap(sequential(), input_shape=(3, SIZE, SIZE))
    for count in (1, 2, 3):
        model.forward(np.repeat(x[:1], count, axis=0))
    assert len(model._functions) == 1
    names = list(model.layers)[1:]
    for number in range(MOST_FUNCTIONS + 5):
        model._functions[number] = None
    model.forward(x, names)
    assert len(model._functions) == MOST_FUNCTIONS


def test_any_image_size_where_the_network_takes_any():
    image = keras.Input((None, None, 3))
    net = keras.Model(image, L.GlobalAveragePooling2D()(L.Conv2D(4, 3, name="c")(image)))
    model = crosslens.wrap(net)
    assert model.input.shape == (3, None, None)
    assert model.layers["c"].shape == (None, 4, 222, 222)
    for size in (8, 11):
        image = np.zeros((1, 3, size, size + 1), np.float32)
        pull = model.vjp(image, {"c": np.ones((1, 4, size - 2, size - 1), np.float32)})
        assert pull.gradients[INPUT].shape == image.shape


def test_training_mode_and_statistics_play_no_part_and_stay(x):
    net = functional()
    model = crosslens.wrap(net)
    expected = model.forward(x)[OUTPUT]
    before = [np.array(v) for v in net.get_weights()]
    net.trainable = False
    with tf.GradientTape():
        again = crosslens.wrap(net).forward(x)[OUTPUT]
    np.testing.assert_allclose(again, expected, rtol=1e-5, atol=1e-6)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_regularisers_leave_no_losses_behind(x):
    net = keras.Sequential([keras.Input((SIZE, SIZE, 3)), L.Conv2D(2, 3, activity_regularizer="l2"), L.Flatten()])
    crosslens.wrap(net).forward(x)
    assert net.losses == []


def test_nothing_stays_replaced_after_an_error():
    class Broken(keras.Model):
        def call(self, x):
            raise ValueError("out of order")

    originals = keras.Operation.__call__, tf.nn.relu, keras.layers.PReLU.call
    with pytest.raises(ModelError, match=r"cannot be built with images of shape \(3, 8, 8\).*out of order"):
        crosslens.wrap(Broken(), input_shape=(3, SIZE, SIZE))
    broken = Broken()
    broken.built = True
    with pytest.raises(ModelError, match="out of order"):
        crosslens.wrap(broken, input_shape=(3, SIZE, SIZE)).layers  # noqa: B018
    with pytest.raises(ModelError):
        crosslens.wrap(broken, input_shape=(3, SIZE, SIZE)).modified(relu="guided")
    assert (keras.Operation.__call__, tf.nn.relu, keras.layers.PReLU.call) == originals


def test_threads_share_a_model(x):
    model = crosslens.wrap(functional())
    expected = model.forward(x)[OUTPUT]
    model._functions.clear()
    found = []
    threads = [
        threading.Thread(target=lambda names=names: found.append(model.forward(x, [OUTPUT, *names])[OUTPUT]))
        for names in ([], ["c1"], ["c2"], [])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for each in found:
        np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_grey_images_and_latent_vectors(x):
    grey = keras.Sequential([keras.Input((SIZE, SIZE, 1)), L.Conv2D(2, 3), L.Flatten()])
    assert crosslens.wrap(grey, preprocess="tf").input == InputSpec((1, SIZE, SIZE))
    generator = keras.Sequential([keras.Input((5,)), L.Dense(12), L.Reshape((2, 2, 3), name="image")])
    model = crosslens.wrap(generator)
    code = np.ones((1, 5), np.float32)
    assert model.input == InputSpec.latent((5,))
    expected = generator(code).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(model.forward(code)[OUTPUT], expected, rtol=1e-6)


def test_channels_first_networks_are_fed_and_read_as_they_store(x):
    image = keras.Input((3, SIZE, SIZE))
    y = L.ZeroPadding2D(1, data_format="channels_first", name="pad")(image)
    y = L.AveragePooling2D(2, data_format="channels_first", name="pool")(L.Activation("tanh", name="act")(y))
    model = crosslens.wrap(keras.Model(image, L.Flatten()(y)), preprocess=None)
    assert model.input.shape == (3, SIZE, SIZE)
    assert [model.layers[n].shape[1:] for n in ("pad", "act", "pool")] == [(3, 10, 10), (3, 10, 10), (3, 5, 5)]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    np.testing.assert_allclose(model.forward(x, ["pad"])["pad"], padded)


def test_float64_networks_give_float64_and_halves_float32(x):
    for policy, dtype in (("float64", np.float64), ("mixed_float16", np.float32)):
        image = keras.Input((SIZE, SIZE, 3))
        y = L.Conv2D(4, 3, activation="tanh", dtype=policy, name="c")(image)
        net = keras.Model(image, L.Dense(3, dtype=policy)(L.GlobalAveragePooling2D(dtype=policy)(y)))
        pull = crosslens.wrap(net).vjp(x, {OUTPUT: np.ones((2, 3), dtype)}, wrt=[INPUT, "c"], capture=["c"])
        assert {a.dtype for a in (*pull.gradients.values(), *pull.activations.values())} == {np.dtype(dtype)}


def test_one_output_is_chosen_by_number_or_name(x):
    image = keras.Input((SIZE, SIZE, 3))
    y = L.Flatten()(image)
    net = keras.Model(image, {"age": L.Dense(2, name="a")(y), "kind": L.Dense(4, name="k")(y)})
    assert crosslens.wrap(net, output="kind").forward(x)[OUTPUT].shape == (2, 4)
    assert crosslens.wrap(net, output=0).forward(x)[OUTPUT].shape == (2, 2)
    with pytest.raises(ModelError, match=r"2 outputs, \['age', 'kind'\]; choose one: wrap\(model, output"):
        crosslens.wrap(net).forward(x)
    with pytest.raises(ModelError, match=r"no output 'size'; it has \['age', 'kind'\]"):
        crosslens.wrap(net, output="size").forward(x)
    with pytest.raises(ModelError, match="output 2 is out of range"):
        crosslens.wrap(net, output=2).forward(x)


def test_what_cannot_be_wrapped_says_what_would_be_right():
    with pytest.raises(ModelError, match=r"does not know the shape.*input_shape=\(3, 224, 224\)"):
        crosslens.wrap(sequential())
    with pytest.raises(ModelError, match=r"input_shape is \(3, 9, 9\), but the model takes \(3, 8, 8\)"):
        crosslens.wrap(functional(), input_shape=(3, 9, 9))
    a, b = keras.Input((SIZE, SIZE, 3)), keras.Input((4,))
    with pytest.raises(ModelError, match="the network has 2 inputs"):
        crosslens.wrap(keras.Model([a, b], L.Dense(2)(b)))
    with pytest.raises(ModelError, match="providers are onnxruntime's"):
        crosslens.wrap(functional(), providers=["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="no device '/GPU:7' in TensorFlow; there are /CPU:0"):
        crosslens.wrap(functional(), device="/GPU:7")
    with pytest.raises(ParameterError, match="is for 3 channels; this model's images have 1: give preprocess=None or"):
        crosslens.wrap(keras.Sequential([keras.Input((4, 4, 1)), L.Flatten()]))


def test_a_cotangent_of_another_shape_is_refused(x):
    with pytest.raises(LayerError, match=r"at '<output>' has shape \(2, 5\)"):
        crosslens.wrap(functional()).vjp(x, {OUTPUT: np.ones((2, 5), np.float32)})


def test_a_device_by_name(x):
    model = crosslens.wrap(sequential(), input_shape=(3, SIZE, SIZE), device="cpu")
    assert model.forward(x)[OUTPUT].shape == (2, 6)


SCRIPT = """
import crosslens, keras, numpy as np
net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
try:
    print(crosslens.wrap(net).backend)
except crosslens.errors.ModelError as error:
    print(error)
"""


@pytest.mark.parametrize(("engine", "expected"), [("torch", "torch")])
def test_keras_on_torch_goes_to_the_torch_backend(engine, expected, tmp_path):
    import os

    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(2, 3), L.Flatten()]).save(path)
    script = SCRIPT + f"print(crosslens.wrap({str(path)!r}).backend)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**os.environ, "KERAS_BACKEND": engine},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected, expected]


def test_attention_gives_tokens_and_its_scores_are_no_maps():
    tokens = keras.Input((5, 12))
    y = L.MultiHeadAttention(3, 4, name="mha")(tokens, tokens)
    net = keras.Model(tokens, L.Dense(2)(L.GlobalAveragePooling1D()(y)))
    model = crosslens.wrap(net)
    x = np.random.default_rng(0).standard_normal((2, 5, 12)).astype(np.float32)
    inside = next(name for name in model.layers if name.endswith("query"))
    assert not list(spatial_layers(model))
    kernel = model.weights(inside)
    query = model.forward(x, [inside])[inside]
    np.testing.assert_allclose(query, x @ kernel["kernel"].T + kernel["bias"].reshape(-1), rtol=1e-4, atol=1e-6)
    seed = np.random.default_rng(1).standard_normal((2, 2)).astype(np.float32)
    gradient = model.vjp(x, {OUTPUT: seed}, wrt=[inside]).gradients[inside]
    step = 1e-2 * np.random.default_rng(2).standard_normal(query.shape).astype(np.float32)
    up, down = (model.forward(x, replace={inside: query + s * step})[OUTPUT] for s in (1, -1))
    np.testing.assert_allclose(((up - down) / 2 * seed).sum(), (gradient * step).sum(), rtol=1e-2)


def test_another_engine_of_keras_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ModelError, match="Keras runs on 'jax' here; set KERAS_BACKEND to tensorflow or torch"):
        crosslens.wrap(functional())
