"""Constructs that people put into networks, each by torch's exporters and judged by torch float64."""

import crosslens
import numpy as np
import onnxruntime as ort
import pytest
import torch
from crosslens import OUTPUT
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


def einsum_attention(x):
    q = x.flatten(2).view(x.size(0), 2, 4, 144)
    return torch.einsum("bhij,bhdj->bhid", torch.einsum("bhdi,bhdj->bhij", q, q * 0.3).softmax(-1), q)


def windows(x):
    y = x.view(-1, 8, 3, 4, 3, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, 8)
    y = (y @ y.transpose(-1, -2)).softmax(-1) @ y
    return y.view(-1, 3, 3, 4, 4, 8).permute(0, 5, 1, 3, 2, 4).reshape(-1, 8, 12, 12)


def blurred(x):
    kernel = torch.full((8, 1, 3, 3), 1 / 9).type_as(x)
    return F.conv2d(F.pad(F.max_pool2d(x, 2, 1), (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=8)


def attend(module, x, batch_axis):
    tokens = x.flatten(2).transpose(1, 2).transpose(0, 1 - batch_axis)
    return module(tokens, tokens, tokens)[0].transpose(0, 1 - batch_axis)


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
    "nearest by factor": lambda x: F.interpolate(x, scale_factor=2),
    "bilinear downwards": lambda x: F.interpolate(x, size=(5, 7), mode="bilinear"),
    "bicubic, corners aligned": lambda x: F.interpolate(x, size=(17, 19), mode="bicubic", align_corners=True),
    "trilinear": lambda x: F.interpolate(x.view(-1, 2, 4, 12, 12), scale_factor=2, mode="trilinear"),
    "linear": lambda x: F.interpolate(x.flatten(2), scale_factor=1.5, mode="linear"),
    "enlarged to another's size": lambda x: F.interpolate(F.avg_pool2d(x, 3, 2), size=x.shape[2:], mode="bilinear") * x,
    "ceiling with padding": lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True).tanh(),
    "pools in three dimensions": lambda x: F.max_pool3d(x.unsqueeze(1), 2) + F.avg_pool3d(x.unsqueeze(1), 2),
    "quadratic mean pool": lambda x: F.lp_pool2d(x.abs() + 0.1, 2, 3, 2),
    "padded with a number": lambda x: F.pad(x, (1, 2, 0, 1, 1, 1), value=0.7),
    "cropped by padding": lambda x: F.pad(x, (-1, 2, -2, -1)),
    "blurred before striding": blurred,
    "attention by einsum": einsum_attention,
    "linear attention": lambda x: (F.elu(heads(x)) + 1) @ (heads(x).transpose(-1, -2) @ heads(x)),
    "windows": windows,
    "grid": lambda x: F.grid_sample(
        x, torch.linspace(-1.3, 1.2, 50).type_as(x).view(1, 5, 5, 2).expand(x.size(0), -1, -1, -1),
        padding_mode="border", align_corners=False,
    ),
    "dilated patches": lambda x: F.unfold(x, (3, 2), dilation=2),
    "patches of a tensor": lambda x: x.unfold(2, 4, 4).unfold(3, 4, 4).sum(1) * 2,
    "uneven chunks": lambda x: torch.cat(x.chunk(3, 1)[::-1], 1),
    "product of a stack": lambda x: torch.stack(x.chunk(4, 1), 1).prod(1),
    "masked": lambda x: x.masked_fill(x < 0, -2.0) * x,
    "maxout": lambda x: torch.max(x[:, :4], x[:, 4:]) + torch.minimum(x[:, :4], x[:, 4:] * 0.5),
    "largest of each row": lambda x: x.max(2)[0] + x.min(3)[0] - x.amax((1, 2)).unsqueeze(1),
    "sorted": lambda x: x.sort(3)[0] * torch.arange(12) + x.gather(3, x.argsort(3)),
    "the largest five": lambda x: x.flatten(2).topk(5, -1)[0],
    "soft argmax": lambda x: (x.flatten(2).softmax(-1) * torch.arange(144)).sum(-1),
    "logsumexp": lambda x: x.logsumexp((2, 3)),
    "statistics": lambda x: torch.cat([x.std((2, 3)), x.var((2, 3), unbiased=False), x.norm(dim=(2, 3))], 1),
    "distances": lambda x: torch.cdist(x[:, :4].flatten(2), x[:, 4:].flatten(2)),
    "bilinear pooling": lambda x: F.normalize((x.flatten(2) @ x.flatten(2).transpose(1, 2)).flatten(1)),
    "scattered sum": lambda x: torch.zeros_like(x).scatter_add(3, (torch.arange(12) % 5).expand(x.shape), x),
    "filled rows": lambda x: x.clone().index_fill(1, torch.tensor([1, 3]), 0.5),
    "repeated": lambda x: x.repeat(1, 2, 1, 3) * x.repeat_interleave(2, 1).repeat_interleave(3, 3),
    "strided slices": lambda x: x[:, ::2, 1::3, :-2],
    "smooth units": lambda x: F.softplus(x, beta=2) * F.mish(x) + F.hardswish(3 * x) + F.hardsigmoid(3 * x),
    "exponential units": lambda x: F.elu(x, 0.7) + F.celu(x, 0.5) + F.selu(x) + F.logsigmoid(x),
    "both gelus": lambda x: F.gelu(x, approximate="tanh") + F.gelu(x) + x.erf(),
    "clipped": lambda x: F.hardtanh(x, -0.3, 0.2) + F.relu6(x * 5) + x.clamp(min=x.mean((2, 3), keepdim=True)),
    "shrunk": lambda x: F.tanhshrink(x) + F.softshrink(x, 0.1) + F.hardshrink(x, 0.1) + F.softsign(x),
    "powers": lambda x: (x + 2) ** 1.5 + (x + 2).rsqrt() + torch.pow(2.0, x) + x**3,
    "rounded": lambda x: x * torch.floor(x * 4) + torch.remainder(x, 0.3) + x * x.round() + x.sign() * x,
    "angles": lambda x: x.sin() + x.cos() + (x * 0.3).tan() + torch.atan2(x, x.flip(2) + 3),
    "matrix with a bias": lambda x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2], beta=0.5, alpha=2),
}  # fmt: skip
MODULES = {
    "same convolution": (lambda m, x: m(x), lambda: nn.Conv2d(8, 4, 4, padding="same")),
    "reflecting convolution": (lambda m, x: m(x), lambda: nn.Conv2d(8, 4, 3, padding=1, padding_mode="reflect")),
    "convolution in one dimension": (lambda m, x: m(x.flatten(2)), lambda: nn.Conv1d(8, 4, 5, 2, 2)),
    "convolution in three": (lambda m, x: m(x.unsqueeze(2).repeat(1, 1, 4, 1, 1)), lambda: nn.Conv3d(8, 4, 3, 2, 1)),
    "transposed, grouped": (
        lambda m, x: m(x), lambda: nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1, groups=2)),
    "transposed, dilated": (lambda m, x: m(x), lambda: nn.ConvTranspose2d(8, 4, 3, 3, dilation=2)),
    "weight normalisation": (lambda m, x: m(x), lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 4, 3))),
    "group normalisation": (lambda m, x: m(x), lambda: nn.GroupNorm(4, 8)),
    "instance normalisation": (lambda m, x: m(x), lambda: nn.InstanceNorm2d(8, affine=True)),
    "layer normalisation, channels last": (
        lambda m, x: m(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), lambda: nn.LayerNorm(8)),
    "multi-head attention": (lambda m, x: attend(m, x, 1), lambda: nn.MultiheadAttention(8, 2, batch_first=True)),
    "tokens first": (lambda m, x: attend(m, x, 0), lambda: nn.MultiheadAttention(8, 2)),
    "encoder": (
        lambda m, x: m(x.flatten(2).transpose(1, 2)), lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)),
    "channel attention": (
        lambda m, x: x * m(x.mean((2, 3)).unsqueeze(1)).transpose(1, 2).unsqueeze(-1).sigmoid(),
        lambda: nn.Conv1d(1, 1, 3, padding=1)),
    "rows read by an LSTM": (
        lambda m, x: m(x.mean(2).transpose(1, 2))[0], lambda: nn.LSTM(8, 6, batch_first=True, bidirectional=True)),
    "spatial attention": (
        lambda m, x: x * m(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)).sigmoid(),
        lambda: nn.Conv2d(2, 1, 7, padding=3)),
}  # fmt: skip
DYNAMO = [
    "bilinear to a size", "bicubic", "reflected", "attention by einsum", "windows", "grid", "statistics", "repeated",
    "blurred before striding", "group normalisation", "multi-head attention", "channel attention",
]  # fmt: skip


class Construct(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        if name in MODULES:
            function, make = MODULES[name]
            self.module = make()
            self.function = lambda x: function(self.module, x)
        else:
            self.function = CONSTRUCTS[name]

    def forward(self, x):
        return self.function(self.stem(x).tanh())


def model_of(name, exporter, **options):
    torch.manual_seed(0)
    net = Construct(name).eval()
    return net, crosslens.wrap(exported(net, exporter, (3, 12, 12), **options), preprocess=None)


@pytest.mark.parametrize("name", [*CONSTRUCTS, *MODULES])
def test_the_construct_has_torch_gradients(agrees_with_torch, name):
    net, model = model_of(name, "legacy", opset_version=17)
    for n in (1, 3):
        agrees_with_torch(net, model, n, (3, 12, 12))


@pytest.mark.parametrize("name", DYNAMO)
def test_the_construct_by_torch_export_has_torch_gradients(agrees_with_torch, name):
    net, model = model_of(name, "dynamo")
    for n in (1, 3):
        agrees_with_torch(net, model, n, (3, 12, 12))


def test_a_sum_by_index_is_whatever_onnxruntime_computes():
    """torch writes index_add with doubled indices, and a divisor of one's own, as what they are not."""
    functions = [
        lambda x: x.index_add(1, torch.tensor([0, 2, 2]), x[:, :3] * 2),
        lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5),
    ]
    x = np.random.default_rng(0).random((2, 3, 12, 12), np.float32)
    for function in functions:
        net = Construct("masked").eval()
        net.function = function
        proto = exported(net, "legacy", (3, 12, 12), opset_version=17)
        session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        (want,) = session.run(None, {"input": x})
        np.testing.assert_allclose(crosslens.wrap(proto, preprocess=None).forward(x)[OUTPUT], want, atol=1e-6)
        assert np.abs(want - net(torch.tensor(x)).detach().numpy()).max() > 0.01
