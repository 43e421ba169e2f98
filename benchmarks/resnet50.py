"""A ResNet-50 look-alike with random weights (He et al. 2016, table 1), in torch and in Keras.

No registry package ships a ResNet-50; for speed the weights do not matter.
"""

from typing import Any

import torch
from torch import Tensor, nn

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def conv(cin: int, cout: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, size, stride, size // 2, bias=False), nn.BatchNorm2d(cout))


class Bottleneck(nn.Module):
    def __init__(self, cin: int, width: int, stride: int) -> None:
        super().__init__()
        self.reduce, self.relu1 = conv(cin, width, 1), nn.ReLU()
        self.spatial, self.relu2 = conv(width, width, 3, stride), nn.ReLU()
        self.expand = conv(width, 4 * width, 1)
        self.shortcut = conv(cin, 4 * width, 1, stride) if stride > 1 or cin != 4 * width else nn.Identity()
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.expand(self.relu2(self.spatial(self.relu1(self.reduce(x)))))
        return self.relu3(inner + self.shortcut(x))


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks, cin = [], 64
        for width, count, stride in STAGES:
            for index in range(count):
                blocks.append(Bottleneck(cin, width, stride if index == 0 else 1))
                cin = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.blocks(self.stem(x))).flatten(1))


def in_torch() -> nn.Module:
    torch.manual_seed(0)
    return ResNet50().eval()


def in_keras() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.applications.ResNet50(weights=None, classifier_activation=None)
