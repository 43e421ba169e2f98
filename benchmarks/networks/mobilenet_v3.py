"""MobileNetV3-Large (Howard et al. 2019, table 1): hard swish, squeeze-and-excite behind a hard sigmoid."""

from torch import Tensor, nn

from .weights import drawn, scaled

BLOCKS = (
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
)  # fmt: skip
"""Kernel, expanded channels, channels, squeeze-and-excite, hard swish (else ReLU), stride."""


def mobilenet_v3(num_classes: int = 1000, width: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: MobileNetV3(num_classes, width), size)


def conv(cin: int, cout: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(cout, eps=1e-3)]


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = scaled(channels, 0.25)
        self.pool, self.relu, self.gate = nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Hardsigmoid()
        self.squeeze, self.excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.excite(self.relu(self.squeeze(self.pool(x)))))


class Block(nn.Module):
    def __init__(self, cin: int, size: int, inner: int, cout: int, squeeze: bool, swish: bool, stride: int) -> None:
        super().__init__()
        act = nn.Hardswish if swish else nn.ReLU
        layers = [*conv(cin, inner, 1), act()] if inner != cin else []
        layers += [*conv(inner, inner, size, stride, groups=inner), act()]
        layers += [SqueezeExcite(inner)] if squeeze else []
        self.inner = nn.Sequential(*layers, *conv(inner, cout, 1))
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x) if self.residual else self.inner(x)


class MobileNetV3(nn.Module):
    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__()
        cin = scaled(16, width)
        layers: list[nn.Module] = [*conv(3, cin, 3, 2), nn.Hardswish()]
        for size, inner, cout, squeeze, swish, stride in BLOCKS:
            layers.append(Block(cin, size, scaled(inner, width), scaled(cout, width), squeeze, swish, stride))
            cin = scaled(cout, width)
        last, hidden = scaled(960, width), scaled(1280, width)
        self.features = nn.Sequential(*layers, *conv(cin, last, 1), nn.Hardswish())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(last, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))
