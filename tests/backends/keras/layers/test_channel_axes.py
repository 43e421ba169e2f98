"""Where a Keras network has its channels is found by evidence: convolutions, permutations, reshapes, normalisations."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import OUTPUT
from crosslens.errors import ModelError
from crosslens.introspection.default_layer import last_maps

L = keras.layers
X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)


def wrapped(image, y, **options):
    return crosslens.wrap(keras.Model(image, y), preprocess=None, **options)


def test_a_head_ported_from_torch_has_channels_first_behind_its_permutation():
    """A dense head after Permute((3, 1, 2)) and Flatten, as ported from torch."""
    image = keras.Input((16, 16, 3))
    maps = L.Conv2D(5, 3, 2, activation="relu", name="conv")(image)
    turned = L.Permute((3, 1, 2), name="turn")(maps)
    model = wrapped(image, L.Dense(4)(L.Flatten(name="flat")(turned)))
    assert [model.layers[name].shape for name in ("conv/add", "conv", "turn")] == [(None, 5, 7, 7)] * 3
    found = model.forward(X, ["conv", "turn", "flat"])
    np.testing.assert_array_equal(found["turn"], found["conv"])
    np.testing.assert_array_equal(found["flat"], found["conv"].reshape(2, -1))
    assert crosslens.method("grad_cam")(model, X, target=1).values.shape == (2, 7, 7)


def channels_first(image):
    return L.Conv2D(5, 3, data_format="channels_first", name="conv")(L.Permute((3, 1, 2), name="turn")(image))


def test_layers_that_name_no_format_follow_what_they_read():
    image = keras.Input((16, 16, 3))
    y = L.Activation("tanh", name="act")(channels_first(image))
    y = L.LayerNormalization(axis=1, name="norm")(y)
    y = L.Permute((2, 3, 1), name="back")(y * 2.0)
    y = L.Dropout(0.5, name="drop")(L.Concatenate(name="cat")([y, y]))
    names = {"turn": 3, "conv": 5, "act": 5, "norm": 5, "multiply": 5, "back": 5, "cat": 10, "drop": 10}
    layers = wrapped(image, L.GlobalAveragePooling2D()(y)).layers
    kinds = {layer.kind: name for name, layer in layers.items()}
    names = {kinds.get(name, name): size for name, size in names.items()}
    assert {name: layers[name].shape[1] for name in names} == names


def test_what_reads_a_tensor_tells_where_nothing_before_does():
    """A generator: a vector is reshaped to maps, channels first, as the convolution behind it wants them."""
    code = keras.Input((6,))
    y = L.Reshape((4, 5, 5), name="maps")(L.Dense(100)(code))
    y = L.ReLU(name="relu")(y)
    y = L.Conv2DTranspose(3, 4, 2, data_format="channels_first", name="grow")(y)
    layers = crosslens.wrap(keras.Model(code, y)).layers
    assert [layers[name].shape[1:] for name in ("maps", "relu", "grow")] == [(4, 5, 5), (4, 5, 5), (3, 12, 12)]


def test_windows_and_tokens_keep_their_channels():
    class Windows(L.Layer):
        def call(self, x):
            n, h, w, c = *tf.unstack(tf.shape(x)[:3]), x.shape[3]
            y = tf.reshape(x, [n, h // 2, 2, w // 2, 2, c])
            y = tf.reduce_max(y, [2, 4])
            return tf.reshape(tf.reshape(y, [n, -1, c]), [n, h // 2, w // 2, c]) * 2.0

    image = keras.Input((16, 16, 3))
    model = wrapped(image, L.GlobalAveragePooling2D()(Windows(name="windows")(L.Conv2D(5, 1, name="conv")(image))))
    found = model.forward(X, ["conv", "windows"])
    pooled = found["conv"].reshape(2, 5, 8, 2, 8, 2).max((3, 5))
    np.testing.assert_allclose(found["windows"], 2 * pooled, rtol=1e-6)
    assert last_maps(model) == "windows"


def test_a_dense_layer_over_maps_has_its_units_last():
    code = keras.Input((6,))
    maps = L.Reshape((5, 4, 3), name="maps")(code[:, :1] * keras.ops.ones((1, 60)))
    layers = crosslens.wrap(keras.Model(code, L.Dense(7, name="dense")(L.ReLU(name="relu")(maps)))).layers
    assert [layers[name].shape[1:] for name in ("maps", "relu", "dense")] == [(3, 5, 4), (3, 5, 4), (7, 5, 4)]


@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_volumes_keep_the_order_of_their_axes(form):
    """Depth, height, width of one voxel lit, followed through a convolution that copies it."""
    shape = (8, 10, 12, 2) if form == "channels_last" else (2, 8, 10, 12)
    image = keras.Input(shape)
    y = L.Conv3D(3, 1, data_format=form, kernel_initializer="ones", use_bias=False, name="conv")(image)
    model = wrapped(image, L.GlobalAveragePooling3D(data_format=form)(y), input_shape=(2, 8, 10, 12))
    assert model.input.is_volume
    x = np.zeros((1, 2, 8, 10, 12), np.float32)
    x[0, 1, 3, 5, 7] = 1
    found = model.forward(x, ["conv"])["conv"]
    assert found.shape == (1, 3, 8, 10, 12)
    assert np.argwhere(found[0, 2]).tolist() == [[3, 5, 7]]
    pull = model.vjp(x, {"conv": found})
    assert np.argwhere(pull.gradients[crosslens.INPUT][0, 0]).tolist() == [[3, 5, 7]]


def test_a_tensor_without_the_batch_first_is_no_layer():
    class Turned(keras.Model):
        """Time first, rows of all images one under the other, and back."""

        def call(self, x):
            steps = tf.transpose(tf.reduce_mean(x, 1), [1, 0, 2])
            rows = tf.tanh(tf.reshape(steps, [-1, 3]))
            back = tf.transpose(tf.reshape(rows, [16, -1, 3]), [1, 0, 2])
            return tf.reduce_mean(back, 1)

    model = crosslens.wrap(Turned(), preprocess=None, input_shape=(3, 16, 16))
    shapes = {name: layer.shape for name, layer in model.layers.items()}
    assert "tanh" not in shapes
    assert all(model.forward(X, [name])[name].shape[0] == 2 for name in shapes)
    np.testing.assert_allclose(model.forward(X)[OUTPUT], np.tanh(X.mean(2)).mean(2), rtol=1e-5)


def test_an_output_without_the_batch_first_is_refused_in_one_line(tmp_path):
    class Steps(keras.Model):
        def call(self, x):
            return tf.transpose(tf.reduce_mean(x, 1), [1, 0, 2])

    class Rows(keras.Model):
        def call(self, x):
            return tf.reshape(x, [-1, 3])

    for net, shape in ((Steps(), r"\(16, None, 3\)"), (Rows(), r"\(None, 3\)")):
        with pytest.raises(ModelError, match=rf"output has shape {shape}, whose first axis is not that of the images"):
            crosslens.wrap(net, input_shape=(3, 16, 16))
        net.export(tmp_path / type(net).__name__, verbose=False)
        with pytest.raises(ModelError, match=rf"output has shape {shape}, whose first axis is not that of the images"):
            crosslens.wrap(tmp_path / type(net).__name__)


def test_a_saved_model_has_its_channels_found_too(tmp_path):
    image = keras.Input((16, 16, 3))
    y = L.Dense(4)(L.Flatten()(L.Permute((3, 1, 2))(L.Conv2D(5, 3, 2, activation="relu")(image))))
    keras.Model(image, y).export(tmp_path / "net", verbose=False)
    model = crosslens.wrap(tmp_path / "net", preprocess=None)
    turned = next(layer for layer in model.layers.values() if layer.kind.lower() == "transpose")
    assert turned.shape == (None, 5, 7, 7)
