"""Constructs that people put into networks, each traced by torch and judged by torch float64."""

import crosslens
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.networks import exported


def assigned(x):
    y = x.clone()
    y[:, 2:4] = 3 * x[:, :2]
    y[..., 1::2, :] = 0.5
    return y


def with_coordinates(x):
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, x.shape[2]), torch.linspace(-1, 1, x.shape[3]), indexing="ij")
    return torch.cat([x, torch.stack([rows, columns])[None].expand(x.shape[0], -1, -1, -1)], 1).tanh()


def heads(x):
    return x.flatten(2).transpose(1, 2).unflatten(2, (2, 4)).transpose(1, 2)


CONSTRUCTS = {
    "bilinear by factor": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "bilinear to a size": lambda x: F.interpolate(x, size=(17, 7), mode="bilinear", align_corners=True),
    "nearest to a size": lambda x: F.interpolate(x, size=(17, 7)),
    "bicubic": lambda x: F.interpolate(x, size=(17, 19), mode="bicubic"),
    "pyramid pooling": lambda x: torch.cat(
        [F.interpolate(F.adaptive_avg_pool2d(x, s), size=x.shape[-2:], mode="bilinear") for s in (1, 2, 3)], 1
    ),
    "adaptive max": lambda x: torch.cat([F.adaptive_max_pool2d(x, s).flatten(1) for s in (1, 2, 4)], 1),
    "pixel shuffle": lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2).tanh(), 4),
    "channel shuffle": lambda x: x.view(x.size(0), 2, 4, 12, 12).transpose(1, 2).reshape(x.size(0), -1),
    "roll and flip": lambda x: torch.roll(x, (-2, 3), (2, 3)) * x.flip(3),
    "gathered indices": lambda x: x[:, [2, 0, 1, 2]] * x[:, :4, torch.tensor([0, 3, 5] * 4)],
    "attention": lambda x: F.scaled_dot_product_attention(heads(x), heads(x), heads(x), is_causal=True),
    "where and masks": lambda x: torch.where(x > 0.1, x * x, torch.triu(x, 1)),
    "cumulative sum": lambda x: x.cumsum(2),
    "ceiling pools": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True) + F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "dilated pool": lambda x: F.max_pool2d(x, 3, 2, 1, dilation=2),
    "uncounted padding": lambda x: F.avg_pool2d(x, 5, 3, 2, ceil_mode=True, count_include_pad=False),
    "reflected": lambda x: F.pad(x, (3, 2, 1, 4), mode="reflect").sin(),
    "circular": lambda x: F.pad(F.pad(x, (3, 2, 1, 4), mode="circular"), (1, 1, 2, 0), mode="replicate"),
    "gated": lambda x: F.glu(x, 1) * F.softmax(x[:, :4].flatten(2), -1).view(-1, 4, 12, 12),
    "generalised mean": lambda x: F.avg_pool2d(x.clamp(min=1e-2).pow(3), 12).pow(1 / 3),
    "normalised": lambda x: F.cosine_similarity(F.normalize(x, dim=1), x.flip(3), dim=1),
    "split and stack": lambda x: torch.stack([t.tanh() for t in x.split([3, 3, 2], 1)[:2]], 1).sum(1),
    "patches": lambda x: F.unfold(x, 3, padding=1, stride=2),
    "assigned slices": assigned,
    "coordinates": with_coordinates,
}  # fmt: skip


class Construct(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.stem, self.function = nn.Conv2d(3, 8, 3, padding=1), function

    def forward(self, x):
        return self.function(self.stem(x).tanh())


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_the_construct_has_torch_gradients(agrees_with_torch, name):
    torch.manual_seed(0)
    net = Construct(CONSTRUCTS[name]).eval()
    model = crosslens.wrap(exported(net, "legacy", (3, 12, 12), opset_version=17), preprocess=None)
    for n in (1, 3):
        agrees_with_torch(net, model, n, (3, 12, 12))
