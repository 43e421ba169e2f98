"""U-Nets (Ronneberger et al. 2015, figure 1) with two ways up: resizing, or transposed convolutions on odd sizes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .weights import drawn, scaled

STAGES = (64, 128, 256, 512)


def unet_resize(num_classes: int = 21, width: float = 1.0, size: int = 256) -> nn.Module:
    """(N, 3, H, W) -> (N, num_classes, H, W); half the way up is bilinear, half nearest neighbour."""
    return drawn(lambda: UNet(num_classes, width, Resized), size)


def unet_transposed(num_classes: int = 21, width: float = 1.0, size: int = 255) -> nn.Module:
    """(N, 3, H, W) -> (N, num_classes, H, W); odd sizes are cropped to those of the way down."""
    return drawn(lambda: UNet(num_classes, width, Transposed), size)


def twice(cin: int, cout: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (cin, cout):
        layers += [nn.Conv2d(channels, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Resized(nn.Module):
    def __init__(self, cin: int, cout: int, place: int) -> None:
        super().__init__()
        self.conv, self.mode = nn.Conv2d(cin, cout, 1), ("bilinear", "nearest")[place % 2]

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return functional.interpolate(self.conv(x), size=skip.shape[-2:], mode=self.mode)


class Transposed(nn.Module):
    def __init__(self, cin: int, cout: int, place: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(cin, cout, *((2, 2), (3, 2, 0, 0), (4, 2, 1, 1))[place % 3])

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.up(x)[..., : skip.shape[-2], : skip.shape[-1]]


class UNet(nn.Module):
    def __init__(self, num_classes: int, width: float, up: type[nn.Module]) -> None:
        super().__init__()
        sizes = [scaled(channels, width) for channels in STAGES]
        self.down = nn.ModuleList(twice(a, b) for a, b in zip([3, *sizes], sizes, strict=False))
        pairs = list(zip(sizes[:0:-1], sizes[-2::-1], strict=True))
        self.up = nn.ModuleList(up(a, b, place) for place, (a, b) in enumerate(pairs))
        self.join = nn.ModuleList(twice(2 * b, b) for _, b in pairs)
        self.pool, self.head = nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(sizes[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for place, block in enumerate(self.down):
            x = block(self.pool(x) if place else x)
            skips.append(x)
        for up, join, skip in zip(self.up, self.join, skips[-2::-1], strict=True):
            x = join(torch.cat([skip, up(x, skip)], 1))
        return self.head(x)
