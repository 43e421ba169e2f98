"""VGG-16 (Simonyan and Zisserman 2015, table 1, column D): no normalisation, max pools, a wide head."""

from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, size, size) -> (N, num_classes) logits; `size` a multiple of 32."""
    return drawn(lambda: VGG(num_classes, width, depth, size), size)


class VGG(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        cin = 3
        for channels, count in STAGES:
            cout = scaled(channels, width)
            for _ in range(repeated(count, depth)):
                layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(inplace=True)]
                cin = cout
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = scaled(4096, width)
        self.classifier = nn.Sequential(
            nn.Linear(cin * (size // 32) ** 2, hidden), nn.ReLU(), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))
