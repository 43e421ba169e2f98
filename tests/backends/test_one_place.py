"""The default layer is one place: a network of functions in PyTorch, its ONNX files, and the same weights in Keras.

Each network is written once, over the operations of a framework, as users write it: with functions that are no modules.
"""

import zlib

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from crosslens.introspection.default_layer import default_layer
from torch import nn
from torch.nn import functional

from benchmarks.networks import exported

X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)


def drawn(name, *shape):
    return np.random.default_rng(zlib.crc32(name.encode())).normal(0, 0.35, shape).astype(np.float32)


class Torch(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.plan = plan
        self(torch.from_numpy(X))
        self.eval()

    def forward(self, x):
        return self.plan(self, x)

    def _made(self, name, layer, *weights):
        if not hasattr(self, name):
            made = layer()
            for own, values in zip(made.parameters(), weights, strict=False):
                own.data = torch.from_numpy(values)
            self.add_module(name, made)
        return getattr(self, name)

    def conv(self, name, x, out, size=3):
        weights = drawn(name, out, x.shape[1], size, size), drawn(name + "b", out)
        return self._made(name, lambda: nn.Conv2d(x.shape[1], out, size, padding=size // 2), *weights)(x)

    def norm(self, name, x):
        count = x.shape[1]
        made = self._made(name, lambda: nn.BatchNorm2d(count), 1 + drawn(name, count), drawn(name + "b", count))
        return made.eval()(x)

    def linear(self, name, x, out):
        weights = drawn(name, out, x.shape[1]), drawn(name + "b", out)
        return self._made(name, lambda: nn.Linear(x.shape[1], out), *weights)(x)

    relu = staticmethod(functional.relu)
    silu = staticmethod(functional.silu)
    sigmoid = staticmethod(torch.sigmoid)

    def halved(self, x):
        return functional.max_pool2d(x, 2)

    def doubled(self, x):
        return functional.interpolate(x, scale_factor=2, mode="nearest")

    def joined(self, *maps):
        return torch.cat(maps, 1)

    def pooled(self, x):
        return torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)

    def everywhere(self, gate):
        return gate[:, :, None, None]

    def flat(self, x):
        return torch.flatten(x, 1)

    def corner(self, x):
        return x[:, :6, 4:, 4:12]

    def flipped(self, x):
        return x.flip(3)

    def classes_of_pixels(self, x):
        return x.softmax(1)


@keras.saving.register_keras_serializable("one_place")
class Keras(keras.Model):
    def __init__(self, plan):
        super().__init__()
        self.plan, self.own = plan, {}
        self(tf.constant(X.transpose(0, 2, 3, 1)))

    def build(self, shape):
        self.plan(self, tf.zeros((2, *shape[1:])))

    def call(self, x):
        return self.plan(self, x)

    def _made(self, name, layer, x, *weights):
        if name not in self.own:
            made = layer(name=name)
            made.build(x.shape)
            made.set_weights([*weights, *made.get_weights()[len(weights) :]])
            self.own[name] = made
        return self.own[name](x)

    def conv(self, name, x, out, size=3):
        kernel = drawn(name, out, x.shape[-1], size, size).transpose(2, 3, 1, 0)
        made = lambda name: keras.layers.Conv2D(out, size, padding="same", name=name)  # noqa: E731
        return self._made(name, made, x, kernel, drawn(name + "b", out))

    def norm(self, name, x):
        count = x.shape[-1]
        made = lambda name: keras.layers.BatchNormalization(epsilon=1e-5, name=name)  # noqa: E731
        return self._made(name, made, x, 1 + drawn(name, count), drawn(name + "b", count))

    def linear(self, name, x, out):
        made = lambda name: keras.layers.Dense(out, name=name)  # noqa: E731
        return self._made(name, made, x, drawn(name, out, x.shape[-1]).T, drawn(name + "b", out))

    relu = staticmethod(tf.nn.relu)
    silu = staticmethod(tf.nn.silu)
    sigmoid = staticmethod(tf.sigmoid)

    def halved(self, x):
        return tf.nn.max_pool2d(x, 2, 2, "VALID")

    def doubled(self, x):
        return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)

    def joined(self, *maps):
        return tf.concat(maps, -1)

    def pooled(self, x):
        return tf.reduce_mean(x, [1, 2])

    def everywhere(self, gate):
        return gate[:, None, None, :]

    def flat(self, x):
        return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, int(np.prod(x.shape[1:]))])

    def corner(self, x):
        return x[:, 4:, 4:12, :6]

    def flipped(self, x):
        return tf.reverse(x, [2])

    def classes_of_pixels(self, x):
        return tf.nn.softmax(x, -1)


def case(o, x):
    x = o.halved(o.relu(o.conv("a", x, 8)))
    return o.linear("fc", o.pooled(o.relu(o.norm("n", o.conv("b", x, 12)))), 5)


def residual(o, x):
    x = o.halved(o.relu(o.conv("a", x, 8)))
    for turn in "bc":
        x = o.relu(o.norm(f"n{turn}", o.conv(turn, x, 8)) + x)
    return o.linear("fc", o.pooled(x), 5)


def dense(o, x):
    x = o.halved(o.conv("a", x, 6))
    for turn in "bc":
        x = o.joined(x, o.conv(turn, o.relu(o.norm(f"n{turn}", x)), 4))
    return o.linear("fc", o.pooled(o.relu(o.norm("n", x))), 5)


def excited(o, x):
    x = o.silu(o.conv("a", x, 8))
    gate = o.sigmoid(o.linear("up", o.relu(o.linear("down", o.pooled(x), 4)), 8))
    return o.linear("fc", o.pooled(x * o.everywhere(gate)), 5)


def vgg(o, x):
    x = o.halved(o.relu(o.conv("b", o.halved(o.relu(o.conv("a", x, 6))), 8)))
    return o.linear("fc", o.relu(o.linear("hidden", o.flat(x), 7)), 5)


def segmentation(o, x):
    x = o.halved(o.relu(o.conv("a", x, 8)))
    x = o.relu(o.norm("n", o.conv("b", x, 8)))
    return o.classes_of_pixels(o.doubled(o.conv("head", x, 3, 1)))


def unet(o, x):
    fine = o.relu(o.conv("a", x, 6))
    deep = o.relu(o.conv("b", o.halved(fine), 8))
    return o.conv("head", o.relu(o.conv("c", o.joined(o.doubled(deep), fine), 6)), 2, 1)


def part(o, x):
    return o.linear("fc", o.flat(o.corner(o.relu(o.conv("a", x, 8)))), 5)


def mirrored(o, x):
    return o.linear("fc", o.flat(o.flipped(o.relu(o.conv("a", x, 8)))), 5)


PLANS = {plan.__name__: plan for plan in (case, residual, dense, excited, vgg, segmentation, unet, part, mirrored)}
OPTIONS = {"grad_cam": {"rectified": False}}
TARGETS = {"segmentation": "channel:<output>:2", "unet": "neuron:<output>:1:3:11"}


def models(name):
    net = Torch(PLANS[name])
    options = {"preprocess": None, "input_shape": (3, 16, 16)}
    exporter = "dynamo" if name == "case" else "legacy"
    return {
        "torch": crosslens.wrap(net, **options),
        "onnx": crosslens.wrap(exported(net, exporter, (3, 16, 16)), preprocess=None),
        "keras": crosslens.wrap(Keras(PLANS[name]), **options),
    }


@pytest.fixture(scope="module")
def made():
    found = {}

    def get(name):
        if name not in found:
            found[name] = models(name)
        return found[name]

    return get


@pytest.mark.parametrize("name", PLANS)
def test_the_default_layer_holds_the_same_values_on_every_backend(made, name):
    first, *others = made(name).values()
    layer = default_layer(first)
    wanted = first.forward(X, [layer])[layer]
    for model in others:
        own = default_layer(model)
        np.testing.assert_allclose(model.forward(X, [own])[own], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["part", "mirrored"])
def test_a_part_of_maps_or_their_mirror_image_is_not_the_default_layer(made, name):
    """Shown over the whole picture they would lie in the wrong place."""
    for model in made(name).values():
        assert model.layers[default_layer(model)].shape == (None, 8, 16, 16)
        assert model.layers[default_layer(model)].kind.lower() == "relu"


@pytest.mark.parametrize("method", ["grad_cam", "eigen_cam", "recipro_cam"])
@pytest.mark.parametrize("name", PLANS)
def test_maps_at_the_default_layer_are_equal_on_every_backend(made, name, method):
    maps = [
        crosslens.method(method, **OPTIONS.get(method, {}))(
            model, X[:1], TARGETS.get(name, 3) if method != "eigen_cam" else None
        ).values
        for model in made(name).values()
    ]
    assert np.abs(maps[0]).max() > 0
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], rtol=1e-4, atol=1e-5 * np.abs(maps[0]).max())


@pytest.mark.parametrize("name", ["case", "dense", "residual"])
def test_cam_takes_a_network_of_functions_that_ends_in_global_pooling(made, name):
    maps = [crosslens.method("cam")(model, X, 2).values for model in made(name).values()]
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], rtol=1e-4, atol=1e-5 * np.abs(maps[0]).max())


def test_compare_explains_one_place_in_all(made):
    found = crosslens.compare(made("case"), crosslens.method("grad_cam"), X)
    assert all(row["default"] for row in found.layers)
    assert all(row["relative_l2"] < 1e-4 for row in found.rows())


@pytest.mark.parametrize("name", ["case", "residual", "dense", "unet"])
def test_the_functions_of_torch_are_aligned_with_the_nodes_of_its_onnx_file(made, name):
    """Each layer on torch has its node, and each node its layer, but for what the exporter folds away."""
    both = {key: made(name)[key] for key in ("torch", "onnx")}
    found = crosslens.align(*both.values(), images=X, names=tuple(both))
    folded = {layer for layer, each in both["torch"].layers.items() if each.kind in {"Conv2d", "BatchNorm2d"}}
    shapes = {layer for layer, each in both["onnx"].layers.items() if each.kind in {"Flatten", "Reshape", "Squeeze"}}
    assert set(found.unmatched("torch")) <= folded
    assert set(found.unmatched("onnx")) <= shapes
    for row in found.rows:
        one, other = (model.layers[layer] for model, layer in zip(both.values(), row.layers, strict=True))
        assert (one.kind == "relu") == (other.kind == "Relu"), row.layers
        assert row.difference < 1e-4
