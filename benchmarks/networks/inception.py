"""Inception-like (Szegedy et al. 2016, figures 5 to 7): 1x7 and 7x1 convolutions, average pools, branches."""

import torch
from torch import Tensor, nn

from .weights import drawn, repeated, scaled


def inception(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 299) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits; H and W at least 75."""
    return drawn(lambda: Inception(num_classes, width, depth), size)


def conv(cin: int, cout: int, size: int | tuple[int, int], stride: int = 1, padding: bool = True) -> nn.Sequential:
    height, width = (size, size) if isinstance(size, int) else size
    around = (height // 2, width // 2) if padding else 0
    layers = nn.Conv2d(cin, cout, size, stride, around, bias=False), nn.BatchNorm2d(cout, eps=1e-3)
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Branches(nn.Module):
    """Several ways from one input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def square(cin: int, c: int) -> nn.Module:
    pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(cin, c, 1))
    five = nn.Sequential(conv(cin, c, 1), conv(c, c, 5))
    return Branches(conv(cin, c, 1), five, nn.Sequential(conv(cin, c, 1), conv(c, c, 3), conv(c, c, 3)), pooled)


def asymmetric(cin: int, c: int) -> nn.Module:
    once = nn.Sequential(conv(cin, c, 1), conv(c, c, (1, 7)), conv(c, c, (7, 1)))
    twice = nn.Sequential(conv(cin, c, 1), *(conv(c, c, size) for size in ((7, 1), (1, 7), (7, 1), (1, 7))))
    outside = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return Branches(conv(cin, c, 1), once, twice, nn.Sequential(outside, conv(cin, c, 1)))


def split(cin: int, c: int) -> nn.Module:
    apart = Branches(conv(c, c // 2, (1, 3)), conv(c, c // 2, (3, 1)))
    pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(cin, c, 1))
    return Branches(conv(cin, c, 1), nn.Sequential(conv(cin, c, 1), apart), conv(cin, c, 1), pooled)


def smaller(cin: int, c: int) -> nn.Module:
    return Branches(conv(cin, c, 3, 2, padding=False), nn.MaxPool2d(3, 2))


class Inception(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        c = scaled(64, width)
        layers = [conv(3, c, 3, 2, padding=False), conv(c, c, 3, padding=False), conv(c, c, 3), nn.MaxPool2d(3, 2)]
        layers += [conv(c, c, 1), conv(c, 3 * c, 3, padding=False), nn.MaxPool2d(3, 2)]
        channels = 3 * c
        for stage, (block, count, inner) in enumerate(((square, 3, c), (asymmetric, 4, 3 * c), (split, 2, 6 * c))):
            if stage:
                layers.append(smaller(channels, inner))
                channels += inner
            for _ in range(repeated(count, depth)):
                layers.append(block(channels, inner))
                channels = 4 * inner
        self.features, self.pool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(channels, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))
