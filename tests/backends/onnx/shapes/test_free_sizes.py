"""Networks for images of any size: forward, gradients and linearize at several sizes, one after another, as torch's."""

import io

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.backends.quiet_exporters import quiet
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional as F  # noqa: N812

from benchmarks import networks


class UNet(nn.Module):
    """Sizes of the way up are those of the way down, whatever they are."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(12, 12, 3, 2, 1)
        self.d, self.e = nn.Conv2d(24, 8, 3, 1, 1), nn.Conv2d(16, 4, 1)

    def forward(self, x):
        a = torch.tanh(self.a(x))
        b = F.silu(self.b(a))
        c = F.gelu(self.c(b))
        u = self.d(torch.cat([F.interpolate(c, size=b.shape[2:], mode="bilinear"), b], 1))
        return self.e(torch.cat([F.interpolate(u, size=a.shape[2:]), a], 1))


class Windows(nn.Module):
    """Attention in windows of 4 x 4, after padding to a multiple of 4."""

    def __init__(self):
        super().__init__()
        self.a, self.n, self.l = nn.Conv2d(3, 8, 3, padding=1), nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x):
        x = torch.tanh(self.a(x))
        n, c, h, w = x.shape
        padded = F.pad(x, (0, -w % 4, 0, -h % 4))
        rows, columns = padded.shape[2] // 4, padded.shape[3] // 4
        y = self.n(padded.view(n, c, rows, 4, columns, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c))
        y = (y @ y.transpose(1, 2)).softmax(-1) @ y
        y = y.view(n, rows, columns, 4, 4, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, rows * 4, columns * 4)
        return self.l((x + y[:, :, :h, :w]).mean((2, 3)))


class Borders(nn.Module):
    """Constants that hang on the size: a reflected border, pooling that leaves the border out, statistics."""

    def __init__(self):
        super().__init__()
        self.a, self.g, self.l = nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(4, 8), nn.Linear(8, 5)

    def forward(self, x):
        x = F.hardswish(self.g(self.a(x)))
        x = F.pad(x * F.adaptive_max_pool2d(x, 1), (1, 2, 0, 1), mode="reflect")
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) + F.max_pool2d(x, 3, 2, 1)
        x = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1).sqrt()
        return self.l((x * torch.roll(x, 1, 3)).mean((2, 3)))


SMALL = {"num_classes": 5, "width": 0.13, "size": 64}
NETWORKS = {
    "U-Net": UNet,
    "windows": Windows,
    "borders": Borders,
    "ResNet": lambda: networks.resnet50(**SMALL, depth=0.3),
    "ConvNeXt": lambda: networks.convnext(**SMALL, depth=0.3),
}
SIZES = {"ResNet": [(64, 64), (80, 56)], "ConvNeXt": [(64, 64), (96, 64)]}
DYNAMO = {"U-Net", "borders"}


def exported(net, exporter, size):
    """The network with every axis but the channels free."""
    buffer, example = io.BytesIO(), (torch.zeros(2, 3, *size),)
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    by = {"dynamo": {"dynamic_shapes": (free,), "external_data": False, "verbose": False}}
    named = by.get(exporter, {"dynamic_axes": {"input": {0: "n", 2: "h", 3: "w"}}, "opset_version": 17})
    with quiet():
        torch.onnx.export(net, example, buffer, dynamo=exporter == "dynamo", input_names=["input"], **named)
    return onnx.load_from_string(buffer.getvalue())


@pytest.mark.parametrize(
    ("name", "exporter"), [(n, e) for n in NETWORKS for e in ("legacy", "dynamo") if e == "legacy" or n in DYNAMO]
)
def test_a_network_for_any_size_has_torch_gradients_at_each(agrees_with_torch, name, exporter):
    torch.manual_seed(0)
    net, sizes = NETWORKS[name]().eval(), SIZES.get(name, [(24, 20), (28, 36), (23, 19)])
    model = crosslens.wrap(exported(net, exporter, sizes[0]), preprocess=None)
    assert model.input.shape == (3, None, None)
    assert all(None not in layer.shape[1:] for layer in model.layers.values() if layer.name != INPUT)
    for n, size in zip((1, 3, 2), sizes, strict=False):
        agrees_with_torch(net, model, n, (3, *size))


def test_a_matrix_that_is_computed_from_the_size_is_another_one_at_another_size():
    """y = H x W with a constant matrix W, which folding makes of H and W: dx = H dy W'."""
    nodes = [
        helper.make_node("Shape", ["x"], ["h"], start=2, end=3),
        helper.make_node("Cast", ["h"], ["f"], to=1),
        helper.make_node("Mul", ["w", "f"], ["hw"]),
        helper.make_node("MatMul", ["x", "hw"], ["y"]),
    ]
    w = np.random.default_rng(0).standard_normal((20, 20)).astype(np.float32)
    ends = [helper.make_tensor_value_info(name, 1, ["n", 3, "h", 20]) for name in "xy"]
    graph = helper.make_graph(nodes, "sized", ends[:1], ends[1:], [numpy_helper.from_array(w, "w")])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = crosslens.wrap(proto, preprocess=None)
    for height in (10, 15):
        dy = np.random.default_rng(height).standard_normal((1, 3, height, 20)).astype(np.float32)
        got = model.vjp(np.full_like(dy, 0.5), {OUTPUT: dy}).gradients[INPUT]
        np.testing.assert_allclose(got, height * dy @ w.T, rtol=1e-4, atol=1e-3)


def test_constants_of_one_shape_in_two_requests_are_not_mistaken_for_each_other():
    """Two pools that do not count their padding, each with its own constant of the same shape, asked for in turns."""
    how = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 0}
    wide = {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2], "count_include_pad": 0}
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], name="one", **how),
        helper.make_node("AveragePool", ["p"], ["y"], name="two", **wide),
    ]
    ends = [helper.make_tensor_value_info(name, 1, ["n", 3, 24, 24]) for name in "xy"]
    graph = helper.make_graph(nodes, "pools", ends[:1], ends[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = crosslens.wrap(proto, preprocess=None)
    x, dy = (np.random.default_rng(i).random((1, 3, 24, 24), np.float32) for i in range(2))
    image = torch.tensor(x, requires_grad=True)
    one = F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    two = F.avg_pool2d(one, 5, 1, 2, count_include_pad=False)
    for layer, y in (("one", one), ("two", two)):
        (want,) = torch.autograd.grad(y, image, torch.tensor(dy), retain_graph=True)
        np.testing.assert_allclose(model.vjp(x, {layer: dy}).gradients[INPUT], want.numpy(), rtol=1e-4, atol=1e-6)
