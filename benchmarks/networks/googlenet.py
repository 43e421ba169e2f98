"""GoogLeNet (Szegedy et al. 2015, table 1) without its auxiliary heads: local response normalisation, no batch norm."""

import torch
from torch import Tensor, nn

from .weights import drawn, scaled

MODULES = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), None,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
"""1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, behind the pool; None is a max pool between the stages."""


def googlenet(num_classes: int = 1000, width: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: GoogLeNet(num_classes, width), size)


def conv(cin: int, cout: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, size, stride, size // 2), nn.ReLU()]


def between() -> nn.Module:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


class Inception(nn.Module):
    def __init__(self, cin: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pooled: int) -> None:
        super().__init__()
        self.one = nn.Sequential(*conv(cin, one, 1))
        self.three = nn.Sequential(*conv(cin, reduce3, 1), *conv(reduce3, three, 3))
        self.five = nn.Sequential(*conv(cin, reduce5, 1), *conv(reduce5, five, 5))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), *conv(cin, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class GoogLeNet(nn.Module):
    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__()
        first, cin = scaled(64, width), scaled(192, width)
        layers = [*conv(3, first, 7, 2), between(), nn.LocalResponseNorm(5, 1e-4, 0.75)]
        layers += [*conv(first, first, 1), *conv(first, cin, 3), nn.LocalResponseNorm(5, 1e-4, 0.75), between()]
        for sizes in MODULES:
            if sizes is None:
                layers.append(between())
                continue
            one, reduce3, three, reduce5, five, pooled = (scaled(size, width) for size in sizes)
            layers.append(Inception(cin, one, reduce3, three, reduce5, five, pooled))
            cin = one + three + five + pooled
        self.features, self.pool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.4), nn.Linear(cin, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))
