"""Functions that a Keras network calls are layers: reached, replaced and differentiated as any other."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT

L = keras.layers


def images(count=2, size=16):
    return np.random.default_rng(0).random((count, 3, size, size), np.float32)


class Net(keras.Model):
    """Conv-relu-conv-norm-relu-mean-dense, its functions called in `call`."""

    def __init__(self, relu):
        super().__init__()
        self.c1, self.c2 = L.Conv2D(16, 3, 2, name="c1"), L.Conv2D(32, 3, 2, name="c2")
        self.bn, self.fc, self.relu = L.BatchNormalization(name="bn"), L.Dense(10, name="fc"), relu

    def call(self, x):
        x = self.relu(self.c1(x))
        x = self.relu(self.bn(self.c2(x)))
        return self.fc(tf.reduce_mean(x, [1, 2]))


def functional():
    image = keras.Input((16, 16, 3))
    x = keras.ops.relu(L.Conv2D(16, 3, 2, name="c1")(image))
    x = keras.ops.relu(L.BatchNormalization(name="bn")(L.Conv2D(32, 3, 2, name="c2")(x)))
    return keras.Model(image, L.Dense(10, name="fc")(L.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def twins():
    keras.utils.set_random_seed(0)
    first = functional()
    rng = np.random.default_rng(1)
    first.set_weights([np.abs(rng.normal(0.2, 0.3, w.shape)) if w.ndim == 1 else w for w in first.get_weights()])
    nets = [first]
    for relu in (tf.nn.relu, keras.ops.relu, keras.activations.relu):
        nets.append(Net(relu))
        nets[-1](np.zeros((1, 16, 16, 3), np.float32))
        nets[-1].set_weights(first.get_weights())
    return [crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16)) for net in nets]


@pytest.fixture(scope="module")
def by_hand(twins):
    """Grad-CAM of the same weights by torch's autograd: the maps are those behind the last ReLU."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    weights = {
        name: {k: torch.tensor(v) for k, v in twins[0].weights(name).items()} for name in ("c1", "c2", "bn", "fc")
    }
    c1, c2, bn, fc = weights.values()
    x = F.relu(F.conv2d(torch.tensor(images()), c1["kernel"], c1["bias"], 2))
    x = F.conv2d(x, c2["kernel"], c2["bias"], 2)
    maps = F.relu(F.batch_norm(x, bn["mean"], bn["variance"], bn["scale"], bn["offset"], eps=1e-3)).requires_grad_()
    (F.linear(maps.mean((2, 3)), fc["kernel"], fc["bias"])[:, 3].sum()).backward()
    return F.relu((maps.grad.mean((2, 3), keepdim=True) * maps).sum(1)).detach().numpy()


def test_subclassed_and_functional_networks_have_one_default_place_and_one_answer(twins, by_hand):
    for name in ("grad_cam", "cam", "layer_cam"):
        results = [crosslens.method(name)(model, images(), target=3).values for model in twins]
        for values in results:
            np.testing.assert_allclose(values, results[0], rtol=1e-5, atol=1e-7)
            if name == "grad_cam":
                np.testing.assert_allclose(values, by_hand, rtol=1e-4, atol=1e-6)


def test_functions_are_named_by_the_layer_that_calls_them(twins):
    assert [*twins[1].layers][1:] == ["c1", "relu", "c2", "bn", "relu#2", "mean", "fc", OUTPUT]
    assert twins[1].layers["relu#2"].kind == "relu"
    assert [twins[1].reads(name) for name in (OUTPUT, "fc", "mean", "relu#2")] == [
        ("fc",),
        ("mean",),
        ("relu#2",),
        ("bn",),
    ]


class Block(L.Layer):
    """Operators, functions of three libraries, a gradient of its own, several results, a function that it returns."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv = L.Conv2D(4, 3, padding="same", name="conv")

    def call(self, x):
        y = self.conv(x) + x
        y = y + tf.nn.silu(y)
        a, b = tf.split(keras.activations.gelu(y), 2, axis=-1)
        y = tf.concat([b * 2.0, tf.clip_by_value(a, 0.0, 6.0)], -1)
        return keras.ops.tanh(y)


NAMES = ["block/conv", "block/add", "block/silu", "block/add#2", "block/gelu", "block/split", "block/split#2"]
NAMES += ["block/multiply", "block/clip_by_value", "block/concat", "block"]


@pytest.fixture(scope="module")
def blocks():
    """In float64, for central differences."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float64")
    try:
        image = keras.Input((6, 6, 3))
        block = Block(name="block")
        x = block(block(L.Conv2D(4, 1, name="first")(image)))
        net = keras.Model(image, L.Dense(5, activation="softmax", name="head")(L.GlobalAveragePooling2D(name="gap")(x)))
    finally:
        keras.config.set_dtype_policy("float32")
    return crosslens.wrap(net, preprocess=None)


def test_each_tensor_on_the_way_has_a_name(blocks):
    names = [*blocks.layers]
    assert names[2 : 2 + len(NAMES)] == NAMES
    assert {"block/conv#2", "block/clip_by_value#2", "block#2"} <= {*names}
    assert blocks.layer("block/tanh").name == "block"
    assert names[-4:] == ["gap", "head/add", "head", OUTPUT]


def test_the_logits_before_a_fused_softmax_are_a_layer(blocks):
    assert (blocks.reads(OUTPUT), blocks.reads("head"), blocks.reads("head/add")) == (
        ("head",),
        ("head/add",),
        ("gap",),
    )
    found = blocks.forward(images(size=6), [OUTPUT, "head/add", "gap"])
    kernel = blocks.weights("head")
    np.testing.assert_allclose(
        found["head/add"], found["gap"] @ kernel["kernel"].T + kernel["bias"], rtol=1e-4, atol=1e-6
    )
    exact = np.exp(found["head/add"])
    np.testing.assert_allclose(found[OUTPUT], exact / exact.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("name", [*NAMES, "block/silu#2", "block/clip_by_value#2", "block/split#4", "head/add"])
def test_a_replaced_function_is_run_on_from_and_its_gradient_is_the_slope_there(blocks, name):
    x, seed = images(size=6), np.eye(5, dtype=np.float32)[[1, 3]]
    given = np.random.default_rng(2).normal(size=(2, *blocks.layers[name].shape[1:]))
    found = blocks.vjp(x, {OUTPUT: seed}, wrt=[name, INPUT], capture=[name], replace={name: given})
    np.testing.assert_array_equal(found.activations[name], given)
    step = 1e-5 * np.random.default_rng(3).normal(size=given.shape)
    up, down = ((blocks.forward(x, replace={name: given + s * step})[OUTPUT] * seed).sum() for s in (1, -1))
    slope = (found.gradients[name] * step).sum()
    assert abs(slope) > 1e-9
    np.testing.assert_allclose(slope, (up - down) / 2, rtol=1e-4)


def test_what_a_function_gave_changes_nothing_when_it_is_put_back(blocks):
    x = images(size=6)
    names = [name for name in blocks.layers if name != INPUT]
    found = blocks.forward(x, names)
    for name in names:
        got = blocks.forward(x, replace={name: found[name]})[OUTPUT]
        np.testing.assert_allclose(got, found[OUTPUT], rtol=1e-5, atol=1e-7, err_msg=name)


def test_functions_are_found_again_under_other_rules_and_weights(blocks):
    x = images(size=6)
    plain = blocks.forward(x, ["block/clip_by_value"])["block/clip_by_value"]
    other = blocks.modified(relu="guided")
    name = "block/clip_by_value"
    np.testing.assert_allclose(other.forward(x, [name])[name], plain, rtol=1e-6)
    assert np.abs(other.vjp(x, {OUTPUT: np.eye(5, dtype=np.float32)[:2]}, wrt=[name]).gradients[name]).max() > 0
    changed = blocks.randomised(["head"], 0)
    np.testing.assert_allclose(changed.forward(x, [name])[name], plain, rtol=1e-6)


def test_what_runs_inside_a_gradient_of_its_own_is_no_layer():
    @tf.custom_gradient
    def doubled_backwards(x):
        y = tf.exp(x)
        return tf.sqrt(y), lambda dy: dy * y

    class Own(keras.Model):
        def call(self, x):
            return tf.reduce_mean(doubled_backwards(x), [1, 2])

    model = crosslens.wrap(Own(), preprocess=None, input_shape=(3, 6, 6))
    assert [*model.layers] == [INPUT, "doubled_backwards", "mean", OUTPUT]
    x, seed = images(size=6), np.ones((2, 3), np.float32)
    found = model.vjp(x, {OUTPUT: seed}, wrt=["doubled_backwards", INPUT], capture=["doubled_backwards"])
    np.testing.assert_allclose(found.activations["doubled_backwards"], np.sqrt(np.exp(x)), rtol=1e-5)
    np.testing.assert_allclose(found.gradients["doubled_backwards"], np.full(x.shape, 1 / 36), rtol=1e-5)
    np.testing.assert_allclose(found.gradients[INPUT], np.exp(x) / 36, rtol=1e-5)
