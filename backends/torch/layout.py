"""Images on the way into a network: normalised, and with channels last in memory where the network takes that.

torch convolves such images faster on the CPU, forward and backward, and hands the layout on from layer to layer;
shapes and numbers stay what they are, but for rounding (benchmarks/NOTES.md).
"""

from collections.abc import Callable

import torch
from crosslens.preprocess import Preprocess
from torch import Tensor, nn

from .network import ModuleNetwork
from .tensors import channels_last

__all__ = ["Entrance", "memory_format"]

APART = 1e-3
"""Of the largest output: more than rounding can do, less than a network that reads memory instead of shapes."""


class Entrance:
    """From images to what the network takes: numbers as it wants them, axes and memory as it wants them."""

    def __init__(self, preprocess: Preprocess, network: ModuleNetwork, like: Tensor, dtype: torch.dtype) -> None:
        """`like` has the device and the type of images, `dtype` is the weights'."""
        self._preprocess, self._dtype, self._last = preprocess, dtype, network.channels_last
        gain, offset = preprocess.affine(network.input.example_shape[0])
        self._gain, self._offset = (torch.from_numpy(v)[:, None, None].to(like) for v in (gain, offset))
        self.memory = torch.contiguous_format

    def normalised(self, image: Tensor) -> Tensor:
        """The images as the network wants their values, each pixel on its own; a tensor of its own."""
        if self._preprocess.identity:
            image = image.clone()
        else:
            image = torch.addcmul(self._offset, image.flip(1) if self._preprocess.reverses else image, self._gain)
        return image.to(self._dtype)

    def laid_out(self, image: Tensor) -> Tensor:
        """The same numbers where the network looks for them."""
        return channels_last(image).contiguous() if self._last else self.laid_in_memory(image)

    def laid_in_memory(self, maps: Tensor) -> Tensor:
        """Images or activations (N, C, H, W) as they lie in memory on their way; tokens and vectors as they are."""
        return maps.contiguous(memory_format=self.memory) if maps.ndim == 4 else maps


def memory_format(network: ModuleNetwork, run: Callable[[Tensor], Tensor], images: Tensor) -> torch.memory_format:
    """Channels last for a network on the CPU with several convolutions that gives the same output that way.

    One that looks at its maps by `view` refuses, forward or in a backward pass of its own.

    Args:
        network: the network; one of NHWC images lays them out itself.
        run: its output for images, with its graph.
        images: (N, C, H, W), where the network computes.
    """
    if network.channels_last or images.ndim != 4 or images.device.type != "cpu" or _convolutions(network.net) < 2:
        return torch.contiguous_format
    expected, last = run(images).detach(), images.clone(memory_format=torch.channels_last).requires_grad_()
    try:
        y = run(last)
        if y.requires_grad:
            torch.autograd.grad(y.sum(), last, allow_unused=True)
    except RuntimeError:
        return torch.contiguous_format
    same = y.shape == expected.shape and (y.detach() - expected).abs().max() <= APART * expected.abs().max()
    return torch.channels_last if same else torch.contiguous_format


def _convolutions(net: nn.Module) -> int:
    """By their kernels, which an exported program has too."""
    return sum(parameter.ndim == 4 for parameter in net.parameters())
