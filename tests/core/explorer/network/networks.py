"""Small networks: residual blocks with depthwise convolutions in torch and Keras, attention, rarer layers."""

import crosslens
import numpy as np
import torch
from torch import nn

WIDTHS = (6, 6, 6, 10, 10, 10)
"""Of the blocks; the fourth halves the positions, and those that keep the width add what they read."""


class Block(nn.Module):
    """1 x 1, depthwise 3 x 3 and 1 x 1, each normalised; the sum with what it reads where the width stays."""

    def __init__(self, before, width, stride):
        super().__init__()
        hidden = 2 * before
        self.expand, self.bn0 = nn.Conv2d(before, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        self.bn1, self.relu0, self.relu1 = nn.BatchNorm2d(hidden), nn.ReLU(), nn.ReLU()
        self.project, self.bn2 = nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width)
        self.adds = before == width

    def forward(self, x):
        y = self.relu1(self.bn1(self.depthwise(self.relu0(self.bn0(self.expand(x))))))
        y = self.bn2(self.project(y))
        return x + y if self.adds else y


class Mobile(nn.Module):
    """A stem, six such blocks, a head."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn0, self.relu0 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU()
        strides = [1 + (n == 3) for n in range(len(WIDTHS))]
        self.blocks = nn.Sequential(*map(Block, (4, *WIDTHS[:-1]), WIDTHS, strides))
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 5)

    def forward(self, x):
        return self.fc(self.flatten(self.pool(self.blocks(self.relu0(self.bn0(self.stem(x)))))))


def mobile():
    torch.manual_seed(0)
    net = Mobile()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    return net.eval()


def mobile_keras():
    """The same layers by the same names, in Keras."""
    from keras import Input, Model, layers

    def normalised(x, name):
        return layers.BatchNormalization(name=name)(x)

    image = Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(name="relu0")(normalised(x, "bn0"))
    for n, width in enumerate(WIDTHS):
        y = layers.Conv2D(2 * x.shape[-1], 1, use_bias=False, name=f"blocks.{n}.expand")(x)
        y = layers.ReLU(name=f"blocks.{n}.relu0")(normalised(y, f"blocks.{n}.bn0"))
        strides = 1 + (n == 3)
        depthwise = layers.DepthwiseConv2D(3, strides, "same", use_bias=False, name=f"blocks.{n}.depthwise")
        y = layers.ReLU(name=f"blocks.{n}.relu1")(normalised(depthwise(y), f"blocks.{n}.bn1"))
        y = normalised(layers.Conv2D(width, 1, use_bias=False, name=f"blocks.{n}.project")(y), f"blocks.{n}.bn2")
        x = layers.Add(name=f"blocks.{n}")([x, y]) if width == x.shape[-1] else y
    x = layers.Flatten(name="flatten")(layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x))
    return Model(image, layers.Dense(5, name="fc")(x))


class Plain(nn.Module):
    """Two convolutions, one depthwise, pooling, two dense layers, each followed by an activation function."""

    def __init__(self):
        super().__init__()
        self.conv_a, self.conv_b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.depthwise, self.hidden, self.out = nn.Conv2d(6, 6, 3, groups=6), nn.Linear(6, 8), nn.Linear(8, 5)

    def forward(self, x):
        x = self.depthwise(self.conv_b(self.conv_a(x).relu()).relu()).relu()
        return self.out(self.hidden(x.mean((2, 3))).relu()).softmax(-1)


def plain():
    torch.manual_seed(0)
    return Plain().eval()


def plain_keras(nested=False):
    """`Plain` with equal weights, each activation function a part of its layer, as most write it in Keras.

    Args:
        nested: whether the convolutions stand in a network inside of the network.
    """
    from keras import Input, Model, Sequential, layers

    maps = [
        layers.Conv2D(4, 3, padding="same", activation="relu", name="conv_a"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="conv_b"),
        layers.DepthwiseConv2D(3, activation="relu", name="depthwise"),
    ]
    pool = layers.GlobalAveragePooling2D(name="pool")
    rest = [layers.Dense(8, "relu", name="hidden"), layers.Dense(5, "softmax", name="out")]
    if nested:
        image = Input((16, 16, 3))
        inner = Sequential([Input((16, 16, 3)), *maps], name="inner")(image)
        made = Model(image, rest[1](rest[0](pool(inner))))
    else:
        made = Sequential([Input((16, 16, 3)), *maps, pool, *rest])
    for module, layer in zip(plain().children(), (maps[0], maps[1], maps[2], *rest), strict=True):
        kernel = module.weight.detach().numpy()
        order = (1, 0) if kernel.ndim == 2 else (2, 3, 0, 1) if layer is maps[2] else (2, 3, 1, 0)
        layer.set_weights([kernel.transpose(order), module.bias.detach().numpy()])
    return made


class Odd(nn.Module):
    """Grouped, transposed and dilated convolutions, a padding, a product of two activations, a linear layer."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(6, 8, 3, groups=2, padding=2, dilation=2)
        self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2)
        self.fc = nn.Linear(4, 7)

    def forward(self, x):
        x = torch.relu(self.up(self.dilated(self.grouped(x))))
        tokens = x.flatten(2).transpose(1, 2)
        return self.fc((tokens @ (x.flatten(2) @ tokens)).mean(1))


class Attention(nn.Module):
    """Patches, one layer of attention by hand and one fused, a head."""

    def __init__(self):
        super().__init__()
        self.patch, self.qkv, self.head = nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 36), nn.Linear(12, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for fused in (False, True):
            q, k, v = self.qkv(x).reshape(len(x), -1, 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
            y = nn.functional.scaled_dot_product_attention(q, k, v) if fused else (q @ k.mT).softmax(-1) @ v
            x = x + y.transpose(1, 2).reshape(x.shape)
        return self.head(x.mean(1))


class Turned(nn.Module):
    """Tokens (D, T) as (T, D)."""

    def forward(self, x):
        return x.mT


def wrapped(net, size=16):
    return crosslens.wrap(net, input_shape=(3, size, size), preprocess="none")


def exported(net, path, size=16, **options):
    """The network through ONNX, under the names that the exporter gives."""
    torch.onnx.export(net, (torch.zeros(1, 3, size, size),), path, dynamo=False, **options)
    return crosslens.wrap(path, preprocess="none")


def images(count=4, size=16):
    return np.random.default_rng(0).random((count, 3, size, size), dtype=np.float32)
