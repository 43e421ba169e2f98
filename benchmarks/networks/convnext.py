"""ConvNeXt-like (Liu et al. 2022): 7x7 depthwise convolutions, normalised over channels last, GELU, scaled branches."""

import torch
from torch import Tensor, nn

from .weights import drawn, repeated, scaled

STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))


def convnext(num_classes: int = 1000, width: float = 1.0, depth: float = 1.0, size: int = 224) -> nn.Module:
    """(N, 3, H, W), made for `size` pixels -> (N, num_classes) logits."""
    return drawn(lambda: ConvNeXt(num_classes, width, depth), size)


class ChannelNorm(nn.LayerNorm):
    """Over the channels of maps (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c, eps=1e-6)
        self.expand, self.act, self.project = nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c)
        self.scale = nn.Parameter(0.1 + 0.4 * torch.rand(c))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        inner = self.scale * self.project(self.act(self.expand(inner)))
        return x + inner.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, num_classes: int, width: float, depth: float) -> None:
        super().__init__()
        cin = scaled(96, width)
        layers: list[nn.Module] = [nn.Conv2d(3, cin, 4, 4), ChannelNorm(cin, eps=1e-6)]
        for stage, (channels, count) in enumerate(STAGES):
            cout = scaled(channels, width)
            layers += [ChannelNorm(cin, eps=1e-6), nn.Conv2d(cin, cout, 2, 2)] if stage else []
            layers += [Block(cout) for _ in range(repeated(count, depth))]
            cin = cout
        self.features = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(cin, eps=1e-6), nn.Linear(cin, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.features(x).mean((2, 3))))
