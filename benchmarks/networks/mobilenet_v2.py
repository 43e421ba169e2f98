"""MobileNetV2 (Sandler et al. 2018, table 2): inverted residuals, depthwise convolutions, ReLU6."""

from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride of the first."""


def mobilenet_v2(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: MobileNetV2(num_classes, width, depth), size)


def conv(cin: int, cout: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]


class InvertedResidual(nn.Module):
    def __init__(self, cin: int, cout: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = cin * expansion
        expand = [*conv(cin, inner, 1), nn.ReLU6()] if expansion > 1 else []
        self.inner = nn.Sequential(
            *expand, *conv(inner, inner, 3, stride, groups=inner), nn.ReLU6(), *conv(inner, cout, 1)
        )
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x) if self.residual else self.inner(x)


class MobileNetV2(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        cin = scaled(32, width)
        layers: list[nn.Module] = [*conv(3, cin, 3, 2), nn.ReLU6()]
        for expansion, channels, count, stride in STAGES:
            cout = scaled(channels, width)
            for index in range(repeated(count, depth)):
                layers.append(InvertedResidual(cin, cout, stride if index == 0 else 1, expansion))
                cin = cout
        last = scaled(1280, width)
        self.features = nn.Sequential(*layers, *conv(cin, last, 1), nn.ReLU6())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
