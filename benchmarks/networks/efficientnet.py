"""EfficientNet-B0 (Tan and Le 2019, table 1): SiLU and squeeze-and-excite."""

from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = (
    (1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)  # fmt: skip
"""Expansion, kernel, channels, blocks, stride of the first."""


def efficientnet_b0(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: EfficientNet(num_classes, width, depth), size)


def conv(cin: int, cout: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.pool, self.act, self.gate = nn.AdaptiveAvgPool2d(1), nn.SiLU(), nn.Sigmoid()
        self.squeeze, self.excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.excite(self.act(self.squeeze(self.pool(x)))))


class MBConv(nn.Module):
    def __init__(self, cin: int, cout: int, expansion: int, size: int, stride: int) -> None:
        super().__init__()
        inner = cin * expansion
        layers = [*conv(cin, inner, 1), nn.SiLU()] if expansion > 1 else []
        layers += [*conv(inner, inner, size, stride, groups=inner), nn.SiLU(), SqueezeExcite(inner, cin // 4)]
        self.inner = nn.Sequential(*layers, *conv(inner, cout, 1))
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x) if self.residual else self.inner(x)


class EfficientNet(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        cin = scaled(32, width)
        layers: list[nn.Module] = [*conv(3, cin, 3, 2), nn.SiLU()]
        for expansion, size, channels, count, stride in STAGES:
            cout = scaled(channels, width)
            for index in range(repeated(count, depth)):
                layers.append(MBConv(cin, cout, expansion, size, stride if index == 0 else 1))
                cin = cout
        last = scaled(1280, width)
        self.features = nn.Sequential(*layers, *conv(cin, last, 1), nn.SiLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))
