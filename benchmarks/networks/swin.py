"""Swin-like (Liu et al. 2021): windows, cyclic shifts, relative position biases, patch merging by strided slices."""

from functools import cached_property

import torch
from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = ((96, 2, 3), (192, 2, 6), (384, 6, 12), (768, 2, 24))
"""Channels, blocks, heads."""


def swin(
    num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224, window: int = 7
) -> nn.Module:
    """(N, 3, size, size) -> (N, num_classes) logits; `size` a multiple of 32 `window`."""
    return drawn(lambda: Swin(num_classes, width, depth, size, window), size)


class WindowAttention(nn.Module):
    def __init__(self, units: int, heads: int, size: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.size, self.window, self.shift = heads, size, window, shift
        self.qkv, self.out = nn.Linear(units, 3 * units), nn.Linear(units, units)
        self.biases = nn.Parameter(0.5 * torch.randn((2 * window - 1) ** 2, heads))
        self.register_buffer("index", self._index)
        self.register_buffer("mask", self._mask if shift else None)

    @cached_property
    def _index(self) -> Tensor:
        """For each pair of a window's pixels, which bias belongs to their distance."""
        grid = torch.stack(torch.meshgrid(*2 * [torch.arange(self.window)], indexing="ij")).flatten(1)
        far = grid[:, :, None] - grid[:, None] + self.window - 1
        return far[0] * (2 * self.window - 1) + far[1]

    @cached_property
    def _mask(self) -> Tensor:
        """-100 between pixels that are no neighbours but for the shift: (windows, pixels, pixels)."""
        regions = torch.zeros(1, self.size, self.size, 1)
        cuts = (slice(-self.window), slice(-self.window, -self.shift), slice(-self.shift, None))
        for number, (rows, columns) in enumerate((a, b) for a in cuts for b in cuts):
            regions[:, rows, columns] = number
        inside = self._windows(regions).squeeze(-1)
        return -100.0 * (inside[:, None] != inside[:, :, None]).float()

    def _windows(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (windows of all images, pixels, C)."""
        count, side, channels = self.size // self.window, self.window, x.shape[-1]
        x = x.view(x.shape[0], count, side, count, side, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, channels)

    def _maps(self, x: Tensor) -> Tensor:
        count, side, channels = self.size // self.window, self.window, x.shape[-1]
        x = x.view(-1, count, count, side, side, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, self.size, self.size, channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        x = self._maps(self._attend(self._windows(x)))
        return torch.roll(x, (self.shift, self.shift), (1, 2)) if self.shift else x

    def _attend(self, x: Tensor) -> Tensor:
        many, pixels, units = x.shape
        q, k, v = self.qkv(x).reshape(many, pixels, 3, self.heads, units // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * (units // self.heads) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.biases[self.index.flatten()].view(pixels, pixels, -1).permute(2, 0, 1).unsqueeze(0)
        if self.shift:
            scores = scores.view(-1, self.mask.shape[0], self.heads, pixels, pixels) + self.mask[:, None][None]
            scores = scores.view(-1, self.heads, pixels, pixels)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(many, pixels, units))


class Block(nn.Module):
    def __init__(self, units: int, heads: int, size: int, window: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(units), nn.LayerNorm(units)
        self.attention = WindowAttention(units, heads, size, window, shift)
        self.mlp = nn.Sequential(nn.Linear(units, 4 * units), nn.GELU(), nn.Linear(4 * units, units))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Merging(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * cin), nn.Linear(4 * cin, cout, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
        return self.reduce(self.norm(torch.cat(corners, -1)))


class Swin(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float, size: int, window: int) -> None:
        super().__init__()
        units = scaled(STAGES[0][0], width)
        self.patches, self.norm0 = nn.Conv2d(3, units, 4, 4), nn.LayerNorm(units)
        layers: list[nn.Module] = []
        for stage, (channels, count, heads) in enumerate(STAGES):
            side, cout = size // 4 >> stage, scaled(channels, width)
            layers += [Merging(units, cout)] if stage else []
            units = cout
            for place in range(repeated(count, depth)):
                shift = window // 2 if place % 2 and side > window else 0
                layers.append(Block(units, max(1, int(heads * width)), side, window, shift))
        self.blocks, self.norm = nn.Sequential(*layers), nn.LayerNorm(units)
        self.head = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm0(self.patches(x).permute(0, 2, 3, 1))
        return self.head(self.norm(self.blocks(x)).mean((1, 2)))
