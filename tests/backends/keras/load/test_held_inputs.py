"""Keras networks and SavedModels of several inputs, of integers and of strings: the image explained, the rest held."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError

L = keras.layers
X = np.random.default_rng(0).random((3, 3, 16, 16), np.float32)
WORDS = np.array([[1, 4, 2, 0]])


class Captioner(keras.Model):
    """The next word's scores from a picture and the words so far: the last words say where to look."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.conv, self.words = L.Conv2D(6, 3, 2, name="conv"), L.Embedding(7, 6, name="words")
        self.mix, self.out = L.GRU(6, name="mix"), L.Dense(7, name="out")

    def said(self, image, words):
        ops = keras.ops
        maps = ops.tanh(self.conv(image))
        said = self.mix(self.words(words))
        look = ops.sigmoid(ops.sum(maps * said[:, None, None], -1, keepdims=True))
        return self.out(ops.concatenate([ops.sum(maps * look, (1, 2)), said], 1))


class ByKeyword(Captioner):
    def call(self, image, words):
        return self.said(image, words)


class ByName(Captioner):
    def call(self, inputs):
        return self.said(inputs["image"], inputs["words"])


class InOrder(Captioner):
    def call(self, inputs):
        return self.said(*inputs)


def functional():
    image, words = keras.Input((16, 16, 3), name="image"), keras.Input((4,), dtype="int64", name="words")
    inner = ByKeyword("inner")
    return keras.Model([image, words], inner(image, words=words))


IMAGE = np.zeros((1, 16, 16, 3), np.float32)


def built(form):
    """A captioner and the name of what it holds."""
    keras.utils.set_random_seed(0)
    if form == "functional":
        return functional(), "words"
    net = {"keywords": ByKeyword, "names": ByName, "order": InOrder}[form](form)
    net(*{"keywords": (IMAGE, WORDS), "names": ({"image": IMAGE, "words": WORDS},), "order": ([IMAGE, WORDS],)}[form])
    return net, "1" if form == "order" else "words"


def by_hand(net, form, dy):
    """Output and gradient by a tape."""
    image, words = tf.constant(np.moveaxis(X, 1, -1)), tf.constant(np.repeat(WORDS, 3, 0))
    with tf.GradientTape() as tape:
        tape.watch(image)
        given = {"keywords": (image, words), "names": ({"image": image, "words": words},)}
        y = net(*given.get(form, ([image, words],)))
        total = tf.reduce_sum(y * dy)
    return y.numpy(), np.moveaxis(tape.gradient(total, image).numpy(), -1, 1)


@pytest.mark.parametrize("form", ["functional", "keywords", "names", "order"])
@pytest.mark.parametrize("row", [True, False], ids=["with a row", "without"])
def test_one_input_is_explained_and_the_other_held(form, row):
    net, name = built(form)
    model = crosslens.wrap(net, preprocess=None, inputs={name: WORDS if row else WORDS[0]})
    dy = np.random.default_rng(2).standard_normal((3, 7)).astype(np.float32)
    y, gradient = by_hand(net, form, dy)
    pull = model.vjp(X, {OUTPUT: dy}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], y, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-3, atol=1e-7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    net, _ = built("functional")
    path = tmp_path_factory.mktemp("saved") / "captioner"
    net.export(path, verbose=False)
    return net, path


def test_a_saved_model_holds_the_words_and_the_next_word_is_explained(folder):
    net, path = folder
    model = crosslens.wrap(path, preprocess=None, inputs={"words": WORDS})
    y, gradient = by_hand(net, "functional", np.eye(7, dtype=np.float32)[[5] * 3])
    found = model.vjp(X, {OUTPUT: np.eye(7, dtype=np.float32)[[5] * 3]}, capture=[OUTPUT])
    np.testing.assert_allclose(found.activations[OUTPUT], y, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.gradients[INPUT], gradient, rtol=1e-3, atol=1e-7)


def test_the_next_word_is_explained_by_grad_cam_and_occlusion(folder):
    net, _ = folder
    model = crosslens.wrap(net, preprocess=None, inputs={"words": WORDS})
    assert crosslens.method("grad_cam")(model, X[:1], target=5).values.shape == (1, 7, 7)
    hidden = X[:1].copy()
    hidden[:, :, :8, :8] = 0
    scores = [net([np.moveaxis(x, 1, -1), WORDS])[0, 5].numpy() for x in (X[:1], hidden)]
    drops = crosslens.method("occlusion", window=8, stride=8, fill="black")(model, X[:1], target=5).values
    assert drops[0, 0, 0] == pytest.approx(scores[0] - scores[1], rel=1e-2, abs=1e-5)


WRONG = [
    (None, r"the network has 2 inputs: 'image' float32 \(any, 16, 16, 3\), 'words' int64 \(any, 4\); one is explained, "
           r"say what the others hold: inputs=\{'words': array\}"),
    ({"word": [1]}, r"inputs= names 'word'; the network's inputs are image, words. Did you mean 'words'\?"),
    ({"words": [[1, 2, 3]]}, r"inputs\['words'\] has shape \(1, 3\); the network takes int64 \(any, 4\): give one row"),
    ({"words": [[1, 2, 3, 0.5]]}, r"inputs\['words'\] holds float64 that int64 cannot; give int64"),
    ({"words": WORDS, "image": X}, r"inputs= holds all inputs, .*; leave out the one to explain"),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "text"), WRONG)
def test_wrong_inputs_are_refused(folder, inputs, text):
    for network in folder:
        with pytest.raises(ModelError, match=text):
            crosslens.wrap(network, inputs=inputs)


class Pixels(tf.Module):
    """Takes integers, and makes floats of them as `way` does."""

    def __init__(self, way):
        super().__init__()
        self.w, self.way = tf.Variable(np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)), way

    @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.uint8)])
    def __call__(self, x):
        return tf.reduce_mean(tf.tanh(self.way(x) / 255.0), [1, 2]) @ self.w


def test_an_image_of_integers_is_rounded_to_pixels_and_gradients_pass_straight_through(tmp_path):
    net = Pixels(lambda x: tf.cast(tf.identity(x), tf.float32))
    tf.saved_model.save(net, str(tmp_path), signatures=net.__call__)
    model = crosslens.wrap(tmp_path)
    pixels = np.round(X * 255)
    dy = np.ones((3, 4), np.float32)
    found = model.vjp(X, {OUTPUT: dy}, capture=[OUTPUT])
    w = net.w.numpy()
    np.testing.assert_allclose(found.activations[OUTPUT], np.tanh(pixels / 255).mean((2, 3)) @ w, rtol=1e-4)
    slope = (1 - np.tanh(pixels / 255) ** 2) / 256 * w.sum(1)[:, None, None]
    np.testing.assert_allclose(found.gradients[INPUT], slope, rtol=1e-4)
    assert any("straight through" in text for _, _, text in model.diagnosis())
    assert any("straight through" in note for note in crosslens.method("gradient")(model, X[:1], target=0).notes)
    with pytest.raises(ModelError, match=r"'x' is of uint8 and holds pixels from 0 to 255; preprocess= gives -1 to 1"):
        crosslens.wrap(tmp_path, preprocess="tf")


def test_a_keras_input_of_integers_too():
    image = keras.Input((16, 16, 3), dtype="uint8")
    net = keras.Model(image, L.GlobalAveragePooling2D()(L.Rescaling(2.0)(image)))
    model = crosslens.wrap(net)
    found = model.vjp(X, {OUTPUT: np.ones((3, 3), np.float32)}, capture=[OUTPUT])
    np.testing.assert_allclose(found.activations[OUTPUT], 2 * np.round(X * 255).mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.gradients[INPUT], np.full(X.shape, 510 / 256), rtol=1e-5)


def test_gradients_that_integers_stop_are_refused_and_not_zero(tmp_path):
    net = Pixels(lambda x: tf.gather(tf.range(256.0), tf.cast(x, tf.int32)))
    tf.saved_model.save(net, str(tmp_path), signatures=net.__call__)
    model = crosslens.wrap(tmp_path)
    expected = np.tanh(np.round(X * 255) / 255).mean((2, 3)) @ net.w.numpy()
    np.testing.assert_allclose(model.forward(X)[OUTPUT], expected, rtol=1e-4)
    with pytest.raises(ModelError, match=r"no gradient reaches the image: .*\(Cast\).* reads its uint8 pixels"):
        model.vjp(X, {OUTPUT: np.ones((3, 4), np.float32)})


def test_encoded_pictures_say_what_to_do(tmp_path):
    class Encoded(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def __call__(self, image_bytes):
            decoded = tf.map_fn(lambda b: tf.io.decode_jpeg(b, 3), image_bytes, fn_output_signature=tf.uint8)
            return tf.reduce_mean(tf.cast(decoded, tf.float32), [1, 2])

    net = Encoded()
    tf.saved_model.save(net, str(tmp_path), signatures=net.__call__)
    text = r"the input 'image_bytes' takes encoded pictures .*, not pixels: save a signature that takes float images"
    with pytest.raises(ModelError, match=text):
        crosslens.wrap(tmp_path)


@pytest.mark.parametrize(
    ("layer", "preprocess", "text"),
    [
        (
            L.Rescaling(1 / 255),
            "imagenet",
            r"itself rescales .* preprocess='imagenet' does too; wrap\(preprocess='raw255'\)",
        ),
        (L.Rescaling(1 / 255), None, r"itself rescales .* from 0 to 255, and gets 0 to 1; wrap\(preprocess='raw255'\)"),
        (L.Rescaling(1 / 255), "raw255", ""),
        (L.Rescaling(2.0, -1.0), "imagenet", r"preprocess='imagenet' does too; wrap\(preprocess=None\)"),
        (L.Rescaling(2.0, -1.0), None, ""),
        (L.Normalization(mean=[0.4] * 3, variance=[0.04] * 3), "imagenet", r"itself normalises .*preprocess=None"),
    ],
)
def test_normalising_twice_is_a_finding(layer, preprocess, text):
    import re

    image = keras.Input((16, 16, 3))
    net = keras.Model(image, L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(layer(image))))
    found = [text for what, ok, text in crosslens.wrap(net, preprocess=preprocess).diagnosis() if ok is False]
    assert len(found) == bool(text)
    assert not text or re.search(text, found[0]), found
