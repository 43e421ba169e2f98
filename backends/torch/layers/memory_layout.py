"""Images on the way into a network: normalised, and with channels last in memory where the network takes that.

torch convolves such images faster on the CPU, forward and backward, and hands the layout on from layer to layer;
shapes and numbers stay what they are, but for rounding (benchmarks/NOTES.md).
"""

from collections.abc import Callable
from math import ceil

import torch
from crosslens.model.preprocessing import Preprocess
from torch import Tensor, nn

from ..tensors import channels_last
from .module_network import ModuleNetwork

__all__ = ["InputLayout", "memory_format", "min_images"]

TOLERANCE = 1e-3
"""Of the largest output: more than rounding can do, less than a network that reads memory instead of shapes."""
MIN_ACTIVATIONS_PER_WEIGHT = 2.3
"""Activations for each number of a kernel from which on it pays: torch lays each kernel out anew in every pass.

At one image a ResNet-50 (2.27) and a VGG-16 (1.96) gave their gradients 1.08 and 1.03 times as fast as they were.
"""


class InputLayout:
    """From images to what the network takes: numbers as it wants them, axes and memory as it wants them."""

    def __init__(self, preprocess: Preprocess, network: ModuleNetwork, like: Tensor, dtype: torch.dtype) -> None:
        """`like` has the device and the type of images, `dtype` is the weights'."""
        self._preprocess, self._dtype, self._last = preprocess, dtype, network.channels_last
        channels, *places = network.input.example_shape
        affine = (torch.from_numpy(v) for v in preprocess.affine(channels))
        self._gain, self._offset = (v.reshape(-1, *[1] * len(places)).to(like) for v in affine)
        self.memory, self.min_images = torch.contiguous_format, 1

    def normalise(self, image: Tensor) -> Tensor:
        """The images as the network wants their values, each pixel on its own; a tensor of its own."""
        if self._preprocess.identity:
            image = image.clone()
        else:
            image = torch.addcmul(self._offset, image.flip(1) if self._preprocess.reverses else image, self._gain)
        return image.to(self._dtype)

    def arrange(self, image: Tensor) -> Tensor:
        """The same numbers where the network looks for them."""
        return channels_last(image).contiguous() if self._last else self.in_memory_format(image)

    def in_memory_format(self, maps: Tensor) -> Tensor:
        """Images or activations (N, C, H, W) as so many lie in memory on their way; tokens and vectors as they are."""
        many = maps.ndim == 4 and maps.shape[0] >= self.min_images
        return maps.contiguous(memory_format=self.memory) if many else maps.contiguous()


def memory_format(network: ModuleNetwork, run: Callable[[Tensor], Tensor], images: Tensor) -> torch.memory_format:
    """Channels last for a network on the CPU with several convolutions that gives the same output that way.

    One that looks at its maps by `view`, or asserts their layout, refuses, forward or in a backward pass of its own.

    Args:
        network: the network; one of NHWC images lays them out itself.
        run: its output for images, with its graph.
        images: (N, C, H, W), where the network computes.
    """
    if network.channels_last or images.ndim != 4 or images.device.type != "cpu" or len(_kernels(network.net)) < 2:
        return torch.contiguous_format
    with torch.no_grad():
        expected = run(images).double()
    last = images.clone(memory_format=torch.channels_last).requires_grad_()
    try:
        y = run(last)
        if y.requires_grad:
            torch.autograd.grad(y.sum(), last, allow_unused=True)
    except (RuntimeError, AssertionError, ValueError):
        return torch.contiguous_format
    same = y.shape == expected.shape and (y.detach() - expected).abs().max() <= TOLERANCE * expected.abs().max()
    return torch.channels_last if same else torch.contiguous_format


def min_images(network: ModuleNetwork, elements: int) -> int:
    """Images in a batch from which on another layout pays; `elements` are the activations of one."""
    return ceil(MIN_ACTIVATIONS_PER_WEIGHT * sum(_kernels(network.net)) / max(elements, 1))


def _kernels(net: nn.Module) -> list[int]:
    """How many numbers each convolution's kernel has; an exported program has them too."""
    return [parameter.numel() for parameter in net.parameters() if parameter.ndim == 4]
