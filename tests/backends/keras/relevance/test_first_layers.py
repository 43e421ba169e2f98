"""The convolution that reads the image, with its activation function in the same Keras layer or behind it."""

import crosslens
import keras
import numpy as np
import pytest
from crosslens.relevance import linear_maps
from keras import layers as L  # noqa: N812

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


def network(*, in_one):
    keras.utils.set_random_seed(0)
    kwargs = {"kernel_initializer": "random_normal", "bias_initializer": "random_normal", "padding": "same"}
    image = x = keras.Input((8, 8, 3))
    for name in ("a", "b"):
        x = L.Conv2D(4, 3, activation="relu" if in_one else None, name=name, **kwargs)(x)
        x = x if in_one else L.ReLU()(x)
    return crosslens.wrap(
        keras.Model(image, L.Dense(4, name="head")(L.GlobalAveragePooling2D(name="mean")(x))), preprocess=None
    )


def test_a_layer_with_its_activation_function_reads_what_its_convolution_reads():
    maps = {each.layer: each for each in linear_maps(network(in_one=True))}
    assert {name: (each.reads, each.is_first, each.is_only_way) for name, each in maps.items()} == {
        "a": (("<input>",), True, True),
        "b": (("a",), False, True),
        "head": (("mean",), False, True),
    }
    assert maps["b"].nonnegative


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon_gamma_box"])
def test_relevance_is_that_of_two_layers(composite):
    lrp = crosslens.method("lrp", composite=composite, epsilon=1e-3, per_channel=True)
    got, want = (np.asarray(lrp(network(in_one=each), IMAGES, target=1).values) for each in (True, False))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def separable(*, in_one):
    """A separable convolution behind a rectifier, or its two convolutions; the first's outputs have both signs."""
    keras.utils.set_random_seed(0)
    image, numbers = keras.Input((8, 8, 3)), np.random.default_rng(1)
    x = L.ReLU()(L.Conv2D(4, 3, name="a")(image))
    if in_one:
        x = L.SeparableConv2D(5, 3, name="b")(x)
    else:
        x = L.Conv2D(5, 1, name="pointwise")(L.DepthwiseConv2D(3, use_bias=False, name="depthwise")(x))
    net = keras.Model(image, L.Dense(4)(L.GlobalAveragePooling2D()(L.ReLU()(x))))
    net.set_weights([numbers.normal(size=each.shape) / 3 for each in net.get_weights()])
    return crosslens.wrap(net, preprocess=None)


def test_a_separable_convolution_s_rule_is_that_of_its_second_kernel_and_the_first_keeps_its_gradient():
    together, apart = (separable(in_one=each) for each in (True, False))
    lrp = crosslens.method("lrp", composite="epsilon_plus", epsilon=0.0, per_channel=True)
    got = np.asarray(lrp(together, IMAGES, target=1).values)
    lrp = crosslens.method("lrp", composite="epsilon_plus", epsilon=0.0, per_channel=True, rules=("depthwise=epsilon",))
    want = np.asarray(lrp(apart, IMAGES, target=1).values)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize(
    ("method", "settings", "told"),
    [
        ("lrp", {"composite": "epsilon_plus"}, True),
        ("lrp", {"composite": "epsilon"}, False),
        ("lrp", {"rules": ("b=epsilon",)}, False),
        ("lrp", {"layer": "b"}, False),
        ("attn_lrp", {}, False),
        ("attn_lrp", {"gamma_convolution": 0.25}, True),
        ("excitation_backprop", {"layer": "a"}, True),
    ],
)
def test_a_note_says_which_kernel_of_a_separable_convolution_has_the_rule(method, settings, told):
    """Not where the epsilon rule makes both alike, and not where relevance does not come through."""
    together = crosslens.method(method, **settings)(separable(in_one=True), IMAGES, target=3)
    note = [text for text in together.notes if "'b'" in text and "rule at the second kernel" in text]
    assert len(note) == told
    if "b" not in settings.values() and "rules" not in settings:  # the other network has no layer of this name
        apart = crosslens.method(method, **settings)(separable(in_one=False), IMAGES, target=3)
        assert not any("second kernel" in text for text in apart.notes)
        difference = np.abs(np.asarray(together.values) - np.asarray(apart.values)).max()
        assert (difference > 1e-3 * np.abs(np.asarray(apart.values)).max()) == told
