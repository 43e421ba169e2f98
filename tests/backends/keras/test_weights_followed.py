"""Results follow a Keras model's weights, and their digest and a note say so; traced functions hold nothing stale."""

import crosslens
import keras
import numpy as np
import pytest
from crosslens.errors import ModelError

L = keras.layers
X = np.random.default_rng(0).random((1, 3, 12, 12), dtype=np.float32)


class Net(keras.Model):
    """Convolutions, a normalisation, and a scale that belongs to no layer."""

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.conv1, self.bn, self.conv2 = (
            L.Conv2D(4, 3, activation="tanh", name="conv1"),
            L.BatchNormalization(),
            L.Conv2D(4, 3),
        )
        self.pool, self.head = L.GlobalAveragePooling2D(), L.Dense(5)
        self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")

    def call(self, x):
        return self.head(self.pool(keras.ops.tanh(self.conv2(self.bn(self.conv1(x)) * self.scale))))


def built():
    net = Net()
    net(np.zeros((1, 12, 12, 3), np.float32))
    return net


def wrapped(net):
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12))


def results(model):
    return [crosslens.method("gradient")(model, X, 1), crosslens.method("grad_cam", layer="conv1")(model, X, 1)]


def fitted(net):
    net.compile("sgd", "mse")
    net.fit(np.repeat(X.transpose(0, 2, 3, 1), 2, axis=0), np.ones((2, 5), np.float32), verbose=0)


def set_weights(net):
    net.set_weights([1.5 * value for value in net.get_weights()])


def one_value(net):
    kernel = net.conv2.kernel.numpy()
    kernel[1, 2, 3, 0] += 3
    net.conv2.kernel.assign(kernel)


def statistics(net):
    net.bn.moving_mean.assign_add(np.ones(4))


def own_weight(net):
    net.scale.assign(2 * np.ones(4))


@pytest.mark.parametrize("change", [fitted, set_weights, one_value, statistics, own_weight], ids=lambda c: c.__name__)
def test_a_result_is_that_of_the_weights_as_they_are_and_says_that_they_changed(change):
    net = built()
    model = wrapped(net)
    first = results(model)
    assert not any("weights" in note for result in first for note in result.notes)
    change(net)
    for got, expected, earlier in zip(results(model), results(wrapped(net)), first, strict=True):
        np.testing.assert_allclose(got.values, expected.values, rtol=1e-4, atol=1e-6)
        assert not np.allclose(got.values, earlier.values, rtol=1e-3, atol=1e-9)
        assert got.provenance["model"] == expected.provenance["model"] != earlier.provenance["model"]
        assert [note for note in got.notes if "the weights changed since" in note]


def test_what_leaves_the_weights_as_they_are_changes_neither_digest_nor_notes():
    net = built()
    model = wrapped(net)
    before = results(model)[0].provenance["model"]
    net.conv1.trainable = False
    net.set_weights(net.get_weights())
    net.compile("adam", "mse")
    after = results(model)[0]
    assert after.provenance["model"] == model.digest == before
    assert not [note for note in after.notes if "weights" in note]


def with_lora(net):
    net.head.enable_lora(2)


def with_another_activation(net):
    net.conv1.activation = keras.activations.relu


@pytest.mark.parametrize(("change", "layer"), [(with_lora, "head"), (with_another_activation, "conv1")])
def test_other_variables_and_activations_are_refused_with_what_to_do(change, layer):
    net = built()
    model = wrapped(net)
    results(model)
    change(net)
    name = getattr(net, layer).name
    match = f"layer '{name}' has another activation or other variables; wrap it again"
    with pytest.raises(ModelError, match=match):
        results(model)
    results(wrapped(net))


def test_other_layers_are_refused_with_what_to_do():
    net = keras.Sequential([L.Input((12, 12, 3)), L.Conv2D(4, 3), L.GlobalAveragePooling2D(), L.Dense(5)])
    model = wrapped(net)
    model.forward(X)
    net.pop()
    net.add(L.Dense(5, name="new"))
    with pytest.raises(ModelError, match=r"the model changed since crosslens.wrap: .*'new'; wrap it again"):
        model.forward(X)
