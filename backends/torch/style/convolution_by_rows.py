"""A convolution with few outputs and a large kernel, as onnxruntime computes it fastest."""

from functools import reduce

import torch
from torch import Tensor, nn

__all__ = ["ConvolutionByRows"]


class ConvolutionByRows(nn.Module):
    """What a square convolution padded by reflection computes: each row of the kernel by itself, the rows added up.

    onnxruntime computes a multiple of 16 outputs, however few are asked for. Of the 9 x 9 convolution with 3 outputs
    that ends a style network the rows have 27 outputs: 32 are computed with 9 weights an input, not 16 with 81.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.outputs, inputs, self.rows, columns = convolution.weight.shape
        weight = convolution.weight.detach().permute(2, 0, 1, 3)
        self.weight = nn.Parameter(weight.reshape(self.rows * self.outputs, inputs, 1, columns))
        bias = torch.zeros(self.rows * self.outputs)
        bias[: self.outputs] = convolution.bias.detach()
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) to (N, outputs, H, W)."""
        x = nn.functional.pad(x, [self.rows // 2] * 4, mode="reflect")
        rows = nn.functional.conv2d(x, self.weight, self.bias).split(self.outputs, 1)
        last = self.rows - 1
        return reduce(torch.add, [part[:, :, row : row - last or None] for row, part in enumerate(rows)])
