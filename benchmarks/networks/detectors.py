"""Detectors with heads at several scales: SSD-like (Liu et al. 2016) and YOLO-like (Redmon and Farhadi 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .weights import drawn, scaled

ANCHORS = ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0))


def ssd(num_classes: int = 21, width: float = 1.0, size: int = 300) -> nn.Module:
    """(N, 3, H, W) -> class scores (N, boxes, num_classes), offsets (N, boxes, 4)."""
    return drawn(lambda: SSD(num_classes, width), size)


def yolo(num_classes: int = 20, width: float = 1.0, size: int = 256) -> nn.Module:
    """(N, 3, size, size) -> boxes in pixels with scores (N, boxes, 5 + num_classes), and the raw maps of each scale."""
    return drawn(lambda: YOLO(num_classes, width), size)


def conv(cin: int, cout: int, size: int, stride: int = 1) -> nn.Sequential:
    layers = nn.Conv2d(cin, cout, size, stride, size // 2, bias=False), nn.BatchNorm2d(cout, eps=1e-3)
    return nn.Sequential(*layers, nn.SiLU(inplace=True))


def halved(cin: int, cout: int) -> nn.Sequential:
    first = nn.Conv2d(cin, cout, 3, 2, 1), nn.BatchNorm2d(cout), nn.ReLU()
    return nn.Sequential(*first, nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU())


class SSD(nn.Module):
    def __init__(self, num_classes: int, width: float, boxes: int = 4) -> None:
        super().__init__()
        self.num_classes = num_classes
        sizes = [scaled(channels, width) for channels in (64, 128, 256, 256)]
        self.stages = nn.ModuleList(halved(a, b) for a, b in zip([3, *sizes], sizes, strict=False))
        self.scale = nn.Parameter(torch.full((1, sizes[1], 1, 1), 5.0))
        self.scores = nn.ModuleList(nn.Conv2d(c, boxes * num_classes, 3, padding=1) for c in sizes[1:])
        self.offsets = nn.ModuleList(nn.Conv2d(c, boxes * 4, 3, padding=1) for c in sizes[1:])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = [self.scale * functional.normalize(maps[1], dim=1), *maps[2:]]
        scores = [self._rows(head(m), self.num_classes) for head, m in zip(self.scores, maps, strict=True)]
        offsets = [self._rows(head(m), 4) for head, m in zip(self.offsets, maps, strict=True)]
        return torch.cat(scores, 1), torch.cat(offsets, 1)

    def _rows(self, maps: Tensor, each: int) -> Tensor:
        return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, each)


class Stage(nn.Module):
    """Half of the channels pass by, the other half goes through two convolutions with a shortcut."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.first, self.last = conv(cin, cout, 1), conv(cout + cout // 2, cout, 1)
        self.inner = nn.Sequential(conv(cout // 2, cout // 2, 1), conv(cout // 2, cout // 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.first(x).chunk(2, 1)
        return self.last(torch.cat([a, b, b + self.inner(b)], 1))


class PoolPyramid(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.first, self.last, self.pool = conv(c, c // 2, 1), conv(2 * c, c, 1), nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.pool(x)
        z = self.pool(y)
        return self.last(torch.cat([x, y, z, self.pool(z)], 1))


class YOLO(nn.Module):
    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__()
        self.each = 5 + num_classes
        a, b, c, d = (scaled(channels, width) for channels in (32, 64, 128, 256))
        self.stem, self.one = conv(12, a, 3), nn.Sequential(conv(a, b, 3, 2), Stage(b, b))
        self.two = nn.Sequential(conv(b, c, 3, 2), Stage(c, c))
        self.three = nn.Sequential(conv(c, d, 3, 2), PoolPyramid(d))
        self.lateral, self.up = conv(d, c, 1), nn.Upsample(scale_factor=2, mode="nearest")
        self.merge = Stage(2 * c, c)
        self.heads = nn.ModuleList(nn.Conv2d(k, len(ANCHORS) * self.each, 1) for k in (c, d))
        self.register_buffer("anchors", torch.tensor(ANCHORS).reshape(1, -1, 1, 1, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        corners = [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]]
        middle = self.two(self.one(self.stem(torch.cat(corners, 1))))
        deep = self.three(middle)
        fine = self.merge(torch.cat([self.up(self.lateral(deep)), middle], 1))
        raw = [head(maps) for head, maps in zip(self.heads, (fine, deep), strict=True)]
        return torch.cat([self._boxes(maps, x.shape[-1] // maps.shape[-1]) for maps in raw], 1), *raw

    def _boxes(self, maps: Tensor, stride: int) -> Tensor:
        batch, _, height, width = maps.shape
        y = maps.view(batch, len(ANCHORS), self.each, height, width).permute(0, 1, 3, 4, 2).sigmoid()
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack([columns, rows], 2).to(y.dtype).view(1, 1, height, width, 2)
        place, extent, scores = y.split((2, 2, self.each - 4), 4)
        place, extent = (2 * place - 0.5 + grid) * stride, (2 * extent) ** 2 * self.anchors
        return torch.cat([place, extent, scores], 4).view(batch, -1, self.each)
