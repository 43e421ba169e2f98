"""The layout of images as a network takes them: normalised, and with channels last in memory where that is faster.

torch convolves such images faster on the CPU, forward and backward, and passes the layout on from layer to layer;
shapes and, up to rounding, values stay the same (benchmarks/NOTES.md).
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
"""Relative to the largest output: more than rounding, less than the error of a network that relies on the layout."""
MIN_ACTIVATIONS_PER_WEIGHT = 2.3
"""Activations per kernel weight from which on channels last pays: torch converts each kernel in every pass.

At one image a ResNet-50 (2.27) and a VGG-16 (1.96) gave their gradients 1.08 and 1.03 times as fast as they were.
"""


class InputLayout:
    """How images become what the network takes: its normalisation, order of axes and memory layout."""

    def __init__(self, preprocess: Preprocess, network: ModuleNetwork, like: Tensor, dtype: torch.dtype) -> None:
        """`like` has the device and the type of images, `dtype` is the weights'."""
        self._preprocess, self._dtype, self._last = preprocess, dtype, network.channels_last
        channels, *sizes = network.input.example_shape
        affine = (torch.from_numpy(v) for v in preprocess.affine(channels))
        self._gain, self._offset = (v.reshape(-1, *[1] * len(sizes)).to(like) for v in affine)
        self.memory, self.min_images = torch.contiguous_format, 1

    def normalise(self, image: Tensor) -> Tensor:
        """The images with the network's normalisation, as a new tensor; each pixel depends on itself alone."""
        if self._preprocess.identity:
            image = image.clone()
        else:
            image = torch.addcmul(self._offset, image.flip(1) if self._preprocess.reverses else image, self._gain)
        return image.to(self._dtype)

    def arrange(self, image: Tensor) -> Tensor:
        """The same values with the axes and the memory layout that the network takes."""
        return channels_last(image).contiguous() if self._last else self.in_memory_format(image)

    def in_memory_format(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) in the memory layout of a batch of this size; tokens and vectors contiguous."""
        many = maps.ndim == 4 and maps.shape[0] >= self.min_images
        return maps.contiguous(memory_format=self.memory) if many else maps.contiguous()


def memory_format(network: ModuleNetwork, run: Callable[[Tensor], Tensor], images: Tensor) -> torch.memory_format:
    """Channels last for a network on the CPU with several convolutions that gives the same output that way.

    Some refuse it: they call `view` on maps or assert their layout, in the forward pass or in a backward of their own.

    Args:
        network: one that takes NHWC images has a layout of its own.
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
    """Images in a batch from which on channels last pays; `elements` are the activations of one."""
    return ceil(MIN_ACTIVATIONS_PER_WEIGHT * sum(_kernels(network.net)) / max(elements, 1))


def _kernels(net: nn.Module) -> list[int]:
    """Weights in each convolution's kernel, of an exported program too."""
    return [parameter.numel() for parameter in net.parameters() if parameter.ndim == 4]
