"""ResNet-50 (He et al. 2016, table 1)."""

from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def resnet50(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: ResNet(num_classes, width, depth), size)


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


class ResNet(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        cin = scaled(64, width)
        self.stem = nn.Sequential(conv(3, cin, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        blocks = []
        for channels, count, stride in STAGES:
            inner = scaled(channels, width)
            for index in range(repeated(count, depth)):
                blocks.append(Bottleneck(cin, inner, stride if index == 0 else 1))
                cin = 4 * inner
        self.blocks = nn.Sequential(*blocks)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(cin, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.blocks(self.stem(x))).flatten(1))
