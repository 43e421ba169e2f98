"""The awkward networks in PyTorch: as people write them, not as modules in a row."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .weights import CLASSES, HIDDEN, SIZE, WIDTH, W


def filled(layer, kernel, bias=None):
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W[kernel]))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(W[bias] if bias else np.zeros_like(layer.bias.numpy())))
    return layer


class Trunk(nn.Module):
    """Functions, an in-place one, a residual sum."""

    def __init__(self):
        super().__init__()
        self.conv1 = filled(nn.Conv2d(3, WIDTH, 3, padding=1), "conv1", "bias1")
        self.conv2 = filled(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), "conv2", "bias2")

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.conv1(x), inplace=True), 2)
        return F.relu(self.conv2(x) + x)


class Pooled(nn.Module):
    """The trunk, its mean, a head."""

    def __init__(self, head):
        super().__init__()
        self.trunk, self.head = Trunk(), head

    def forward(self, x):
        return self.head(self.trunk(x).mean((2, 3)))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = Trunk()
        self.fc = filled(nn.Linear(2 * WIDTH, CLASSES), "wide")

    def forward(self, x):
        y = self.trunk(x)
        y = torch.cat([y, F.relu(1 - y)], dim=1)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1))


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = filled(nn.Conv2d(3, WIDTH, 3, padding=1), "conv1", "bias1")
        self.norm = filled(nn.LayerNorm(WIDTH, eps=1e-3), "norm", "offset")
        self.head = filled(nn.Linear(WIDTH, CLASSES), "head")

    def forward(self, x):
        return self.head(self.norm(self.conv(x).permute(0, 2, 3, 1)).sigmoid().mean((1, 2)))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.head = Trunk(), filled(nn.Linear(WIDTH, CLASSES), "head")

    def forward(self, image, scale):
        return self.head(self.trunk(image).mean((2, 3)) * scale)


class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = filled(nn.Conv3d(1, WIDTH, 3, padding=1), "volume", "bias1")
        self.head = filled(nn.Linear(WIDTH, CLASSES), "head")

    def forward(self, x):
        return self.head(F.relu(self.conv(x)).mean((2, 3, 4)))


class Mixing(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = filled(nn.Conv2d(3, WIDTH, 3, padding=1), "conv1", "bias1")
        self.norm = nn.BatchNorm2d(WIDTH, track_running_stats=False)
        self.head = filled(nn.Linear(WIDTH, CLASSES), "head")

    def forward(self, x):
        return self.head(F.relu(self.norm(self.conv(x))).mean((2, 3)))


class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.head = Trunk(), filled(nn.Linear(WIDTH, CLASSES), "head")

    def forward(self, x):
        return self.head(F.dropout(self.trunk(x), 0.5, training=True).mean((2, 3)))


class Segmentation(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.pixels = Trunk(), filled(nn.Conv2d(WIDTH, 2, 1), "pixels")

    def forward(self, x):
        return F.interpolate(self.pixels(self.trunk(x)), scale_factor=2, mode="nearest")


class Recurrent(nn.Module):
    """Reads the picture column by column; inside, time comes first."""

    def __init__(self):
        super().__init__()
        self.conv = filled(nn.Conv2d(3, WIDTH, 3, padding=1), "conv1", "bias1")
        self.lstm = nn.LSTM(WIDTH * SIZE, HIDDEN)
        with torch.no_grad():
            for name, values in zip(self.lstm._all_weights[0], ("lstm_in", "lstm_again", "lstm_bias"), strict=False):
                getattr(self.lstm, name).copy_(torch.from_numpy(W[values]))
            self.lstm.bias_hh_l0.zero_()
        self.last = filled(nn.Linear(HIDDEN, CLASSES), "last")

    def forward(self, x) -> Tensor:
        columns = F.relu(self.conv(x)).permute(3, 0, 1, 2).flatten(2)
        return self.last(self.lstm(columns)[0][-1])


BUILDERS = {
    "functional": Functional,
    "channels_last": ChannelsLast,
    "sigmoid": lambda: Pooled(nn.Sequential(filled(nn.Linear(WIDTH, 1), "one"), nn.Sigmoid())),
    "regression": lambda: Pooled(filled(nn.Linear(WIDTH, 1), "one")),
    "two_inputs": TwoInputs,
    "volume": Volume,
    "batch_mixing": Mixing,
    "random": Random,
    "segmentation": Segmentation,
    "recurrent": Recurrent,
}


def build(name):
    return BUILDERS[name]().eval()
