"""ViT-B/16 (Dosovitskiy et al. 2021, table 1): patches, a class token, learned positions, pre-normalised blocks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .weights import drawn, repeated

HEAD = 64
"""Units of an attention head."""


def vit_b16(
    num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224, patch: int = 16
) -> nn.Module:
    """(N, 3, size, size) -> (N, num_classes) logits; `width` scales the number of heads."""
    heads = max(1, round(12 * width))
    return drawn(lambda: VisionTransformer(num_classes, heads, repeated(12, depth), size, patch), size)


class Attention(nn.Module):
    def __init__(self, units: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(units, 3 * units), nn.Linear(units, units)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, units = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, units // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, units))


class Block(nn.Module):
    def __init__(self, units: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(units, eps=1e-6), nn.LayerNorm(units, eps=1e-6)
        self.attention = Attention(units, heads)
        self.mlp = nn.Sequential(nn.Linear(units, 4 * units), nn.GELU(), nn.Linear(4 * units, units))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, num_classes: int, heads: int, depth: int, size: int, patch: int) -> None:
        super().__init__()
        units = HEAD * heads
        self.patches = nn.Conv2d(3, units, patch, patch)
        self.token = nn.Parameter(0.5 * torch.randn(1, 1, units))
        self.positions = nn.Parameter(0.5 * torch.randn(1, (size // patch) ** 2 + 1, units))
        self.blocks = nn.Sequential(*(Block(units, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(units, eps=1e-6), nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])
