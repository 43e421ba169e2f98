"""Receptive fields by arithmetic equal what changing one pixel after the other shows, on three backends."""

import importlib
import io

import crosslens
import numpy as np
import pytest
from crosslens.receptive import Rectangle, unit_field
from crosslens.receptive.fields import fields_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def reached(model, layer, size, least, seeds=2):
    """(rows, columns) of every value: start and stop of the pixels that, changed alone, change it."""
    rng = np.random.default_rng(0)
    spans = None
    for _ in range(seeds):
        x = rng.uniform(0, 1, (1, 3, *size)).astype(np.float32)
        plain = np.asarray(model.forward(x, [layer])[layer])
        many = np.repeat(x, size[0] * size[1], axis=0)
        places = list(np.ndindex(*size))
        for image, (i, j) in zip(many, places, strict=True):
            image[:, i, j] = np.where(image[:, i, j] < 0.5, 1, 0)
        moved = np.concatenate([np.asarray(model.forward(part, [layer])[layer]) for part in np.array_split(many, 4)])
        changed = np.abs(moved - plain) > least  # batches of another size round otherwise
        spans = spans or [(np.full(plain.shape[1:], 999), np.zeros(plain.shape[1:], int)) for _ in range(2)]
        for hit, place in zip(changed, places, strict=True):
            for (start, stop), at in zip(spans, place, strict=True):
                start[hit] = np.minimum(start, at)[hit]
                stop[hit] = np.maximum(stop, at + 1)[hit]
    return spans


def check(model, size, layers, least=2e-6):
    fields, reason = fields_of(model, size)
    assert not reason
    for layer in layers:
        name = model.layer(layer).name
        found = fields[name]
        assert not found.unknown, (layer, found.unknown)
        for axis, (start, stop) in enumerate(reached(model, name, size, least)):
            got = [np.broadcast_to(b, found.shape)[0] for b in (found.bounds[axis][0], -found.bounds[axis][1])]
            read = stop > 0
            np.testing.assert_array_equal(got[0][read], start[read], err_msg=f"{layer}, axis {axis}, starts")
            np.testing.assert_array_equal(got[1][read], stop[read], err_msg=f"{layer}, axis {axis}, stops")


def torch_networks():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)

    def conv(a, b, *rest, **more):
        return nn.Conv2d(a, b, *rest, **more)

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv(3, 4, 3, stride=2, padding=1)
            self.one, self.five = conv(4, 3, 1), conv(4, 3, 5, padding=2)
            self.wide = conv(4, 4, 3, padding=2, dilation=2, groups=2)
            self.pool, self.last = nn.AvgPool2d(2, ceil_mode=True), conv(10, 4, (3, 1), padding=(1, 0))

        def forward(self, x):
            x = self.stem(x).tanh()
            x = torch.cat([self.one(x), self.five(x), x + self.wide(x)], dim=1)
            return self.last(self.pool(x[:, :, 1:])).tanh()

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.deep = conv(3, 4, 3, stride=2, padding=1), conv(4, 4, 3, stride=2, padding=1)
            self.up, self.out = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1), conv(8, 2, 3)
            self.resize = nn.Upsample(scale_factor=2, mode="bilinear")

        def forward(self, x):
            a = self.down(x).tanh()
            b = self.up(self.deep(a).tanh())
            return self.out(self.resize(torch.cat([a, b], dim=1)))

    class Excite(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.squeeze = conv(3, 4, 3, padding=1, padding_mode="reflect"), conv(4, 4, 1)

        def forward(self, x):
            x = self.conv(x)
            gate = self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid()
            return x * gate

    class Windows(nn.Module):
        """Patches, attention within windows of 2 x 2 tokens, the windows shifted by a roll."""

        def __init__(self):
            super().__init__()
            self.patch, self.qkv, self.norm = conv(3, 4, 2, stride=2), nn.Linear(4, 12), nn.LayerNorm(4)
            self.after = nn.Linear(4, 4)

        def forward(self, x):
            x = self.patch(x).roll((1, 1), (2, 3)).permute(0, 2, 3, 1)
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
            q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
            y = (q @ k.transpose(-1, -2)).softmax(-1) @ v
            y = y.reshape(n, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(n, h, w, c)
            return self.after(y).permute(0, 3, 1, 2)

    return {
        "branches": (Branches(), (13, 12), ["stem", "five", "wide", "pool", "last", "<output>"]),
        "u-net": (UNet(), (12, 8), ["down", "deep", "up", "resize", "out"]),
        "squeeze and excitation": (Excite(), (7, 6), ["conv", "<output>"]),
        "windows of attention": (Windows(), (8, 12), ["patch", "qkv", "after", "<output>"]),
    }


NAMES = ("branches", "u-net", "squeeze and excitation", "windows of attention")


@pytest.mark.parametrize("name", NAMES)
def test_torch_networks_depend_on_what_changes_them(name):
    net, size, layers = torch_networks()[name]
    model = crosslens.wrap(net.double().eval(), input_shape=(3, *size))
    check(model, size, [layer for layer in layers if layer in model.layers], 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_onnx_networks_depend_on_what_changes_them(name):
    pytest.importorskip("onnxruntime")
    import onnx
    import torch

    net, size, _ = torch_networks()[name]
    file = io.BytesIO()
    torch.onnx.export(net.eval(), (torch.zeros(1, 3, *size),), file, dynamo=False, opset_version=17,
                      input_names=["x"], dynamic_axes={"x": {0: "n"}})  # fmt: skip
    model = crosslens.wrap(onnx.load_from_string(file.getvalue()), input_shape=(3, *size))
    check(model, size, [layer for layer in model.layers if layer != "<input>"][-3:])


def keras_network():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(0)
    x = keras.Input((13, 10, 3))
    a = layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh", name="same")(x)
    b = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, name="depthwise")(a)
    c = layers.Add(name="add")([a, layers.AveragePooling2D(2, strides=1, padding="same", name="pool")(a)])
    y = layers.Concatenate(name="cat")([b, c])
    y = layers.ZeroPadding2D(((2, 0), (0, 1)), name="pad")(y)
    y = layers.UpSampling2D(2, interpolation="bilinear", name="up")(y)
    y = layers.Cropping2D(((1, 2), (3, 0)), name="crop")(y)
    y = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh", name="transposed")(y)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(y)
    steep = keras.initializers.RandomNormal(stddev=9)
    gate = layers.Dense(3, activation="sigmoid", kernel_initializer=steep)(mean)
    return keras.Model(x, layers.Multiply(name="excite")([y, gate])), (13, 10)


def test_keras_networks_depend_on_what_changes_them():
    net, size = keras_network()
    names = ["same", "depthwise", "add", "cat", "pad", "up", "crop", "transposed", "mean", "excite"]
    check(crosslens.wrap(net), size, names)


def test_the_size_of_the_image_decides_where_same_padding_lies():
    """SAME padding before the first pixel is 0 for an even side and stride 2, and 1 for an odd one."""
    keras = pytest.importorskip("keras")
    x = keras.Input((None, None, 3))
    model = crosslens.wrap(keras.Model(x, keras.layers.Conv2D(2, 3, strides=2, padding="same", name="c")(x)))
    even, odd = (unit_field(model, "c", (1, 1), size=(n, n)) for n in (8, 9))
    assert (even.top, even.bottom) == (2, 5)
    assert (odd.top, odd.bottom) == (1, 4)


def test_a_network_whose_operators_are_not_known_says_that_its_field_is_from_gradients():
    torch = pytest.importorskip("torch")

    class Opaque(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, x):
            y = self.conv(x)
            return y * 2 if float(y.sum()) > 0 else y  # a graph cannot be recorded of this

    model = crosslens.wrap(Opaque().eval(), input_shape=(3, 9, 9))
    found = unit_field(model, "conv", (4, 4))
    assert found == Rectangle(3, 3, 6, 6, (3, 3, 6, 6), "gradients")


def sequence(torch, plan):
    """Convolutions ("c") and poolings ("p") by kernel, stride and padding, with two channels."""
    layers, channels = [], 3
    for kind, kernel, stride, pad in plan:
        made = (
            torch.nn.Conv2d(channels, 2, kernel, stride, pad)
            if kind == "c"
            else torch.nn.MaxPool2d(kernel, stride, pad)
        )
        layers.append(made)
        channels = 2 if kind == "c" else channels
    return torch.nn.Sequential(*layers)


VGG16 = [*[("c", 3, 1, 1)] * 2, ("p", 2, 2, 0), *[("c", 3, 1, 1)] * 2, ("p", 2, 2, 0)]
VGG16 += [*[*[("c", 3, 1, 1)] * 3, ("p", 2, 2, 0)] * 3]
ALEXNET = [("c", 11, 4, 0), ("p", 3, 2, 0), ("c", 5, 1, 2), ("p", 3, 2, 0), *[("c", 3, 1, 1)] * 3, ("p", 3, 2, 0)]
RESNET50 = [("c", 7, 2, 3), ("p", 3, 2, 1)]
for units, stride in ((3, 2), (4, 2), (6, 2), (3, 1)):  # as the table has it, the last unit of a block strides
    RESNET50 += [("c", 3, stride if n == units - 1 else 1, 1) for n in range(units)]
MOBILENET = [("c", 3, 2, 1), *[("c", 3, s, 1) for s in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)]]
PUBLISHED = {
    "AlexNet": (ALEXNET, 227, 195, 32),
    "VGG16": (VGG16, 224, 212, 32),
    "ResNet-50": (RESNET50, 224, 483, 32),
    "MobileNet": (MOBILENET, 224, 315, 32),
}
"""By Araujo et al. 2019, table 1: the field of the last convolution or pooling, and its stride."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_look_alikes_have_the_published_receptive_fields(name):
    torch = pytest.importorskip("torch")
    plan, size, field, stride = PUBLISHED[name]
    model = crosslens.wrap(sequence(torch, plan).eval(), input_shape=(3, size, size))
    last = str(len(plan) - 1)
    middle = unit_field(model, last, tuple(n // 2 for n in model.layers[last].shape[2:]))
    assert middle.unclipped[2] - middle.unclipped[0] == field
    assert fields_of(model)[0][last].strides == (stride, stride)


def test_frameworks_agree_on_lite0():
    sizes = {}
    for kind in ("onnx", "torch", "keras"):
        importlib.import_module({"onnx": "onnxruntime", "torch": "torch", "keras": "tensorflow"}[kind])
        model = crosslens.wrap(f"demo:lite0_{kind}")
        sizes[kind] = [unit_field(model, name, (3, 3)) for name in ("blocks.2.bn2", "blocks.5.bn2", "relu1")]
        assert unit_field(model, "fc") is None
    assert sizes["onnx"] == sizes["torch"] == sizes["keras"]
