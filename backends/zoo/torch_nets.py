"""The zoo's networks as torch modules in eval mode, every activation a module of its own so that it is a layer."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import weights
from .plans import Block, lite0_blocks

__all__ = ["Lite0", "SameConv2d", "lite0"]


def lite0() -> nn.Module:
    """EfficientNet-Lite0 (Tan and Le 2019) with its ImageNet weights: (N, 3, H, W) -> (N, 1000) logits; 224 px."""
    return _loaded(Lite0(), weights.lite0())


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: an odd pixel of padding goes to the right and bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        (top, bottom), (left, right) = (self._padding(int(x.shape[axis + 2]), axis) for axis in (0, 1))
        if (top, left) == (bottom, right):
            return functional.conv2d(x, self.weight, None, self.stride, (top, left), 1, self.groups)
        return super().forward(functional.pad(x, (left, right, top, bottom)))

    def _padding(self, size: int, axis: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2


class Lite0(nn.Module):
    """EfficientNet-Lite0, layers named as its authors' checkpoint names them, less the leading underscores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, 32, 3, stride=2)
        self.bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.relu0 = nn.ReLU6()
        self.blocks = nn.Sequential(*map(_InvertedResidual, lite0_blocks()))
        self.conv_head = SameConv2d(320, 1280, 1)
        self.bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self.relu1 = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), preprocessed -> (N, 1000)."""
        for layer in self.children():
            x = layer(x)
        return x


class _InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; the input added where shapes allow."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        width = block.inputs * block.expand
        if block.expand > 1:
            self.expand_conv = SameConv2d(block.inputs, width, 1)
            self.bn0 = nn.BatchNorm2d(width, eps=1e-3)
            self.relu0 = nn.ReLU6()
        self.depthwise_conv = SameConv2d(width, width, block.kernel, block.stride, groups=width)
        self.bn1 = nn.BatchNorm2d(width, eps=1e-3)
        self.relu1 = nn.ReLU6()
        self.project_conv = SameConv2d(width, block.outputs, 1)
        self.bn2 = nn.BatchNorm2d(block.outputs, eps=1e-3)
        self._residual = block.residual

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.children():
            y = layer(y)
        return x + y if self._residual else y


_ATTRIBUTES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def _loaded(network: nn.Module, layers: weights.Layers) -> nn.Module:
    """The network with these weights, all of them and no others, in eval mode."""
    state = {
        f"{name}.{_ATTRIBUTES[parameter]}": torch.tensor(values)
        for name, layer in layers.items()
        for parameter, values in layer.items()
    }
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **state})
    return network.eval()
