"""DenseNet-121 (Huang et al. 2017, table 1): normalisation and ReLU before the convolution, concatenations."""

import torch
from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = (6, 12, 24, 16)


def densenet121(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: DenseNet(num_classes, width, depth), size)


def before(cin: int, cout: int, size: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(cin), nn.ReLU(), nn.Conv2d(cin, cout, size, padding=size // 2, bias=False)]


class Dense(nn.Module):
    def __init__(self, cin: int, growth: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*before(cin, 4 * growth, 1), *before(4 * growth, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.inner(x)], 1)


class DenseNet(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        growth, channels = scaled(32, width), scaled(64, width)
        stem = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        for stage, count in enumerate(STAGES):
            if stage:
                layers += [*before(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
            for _ in range(repeated(count, depth)):
                layers.append(Dense(channels, growth))
                channels += growth
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.pool, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))
