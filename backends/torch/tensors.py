"""Conversions between arrays of the contract, channels-first, and torch's tensors."""

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import torch
from crosslens.arrays import Array, as_numpy
from crosslens.model import Layer, Model
from torch import Tensor

__all__ = ["channels_first", "channels_last", "max_batch", "on_device", "stays_on_gpu", "to_array", "to_tensor"]

CACHED_BYTES = 25 << 20
"""Bytes of a layer's activations up to which the C library keeps the memory for the next pass.

Above, it returns memory to the system, which maps and clears each page anew: EfficientNet-Lite0's gradient took
44 ms an image at batch 5, with 1000 page faults, and 59 at batch 8, with 11 500 (benchmarks/NOTES.md).
"""


def max_batch(layers: Iterable[Layer], dtype: torch.dtype, device: torch.device) -> int:
    """Images in a batch that is not slower than a smaller one."""
    largest = max((prod(n or 1 for n in layer.shape[1:]) for layer in layers), default=1)
    on_cpu = device.type == "cpu"
    return (
        max(1, min(Model.largest_batch, CACHED_BYTES // (largest * dtype.itemsize))) if on_cpu else Model.largest_batch
    )


def to_tensor(values: Array, device: Any, dtype: torch.dtype, *, own: bool = True) -> Tensor:
    """A tensor with these values.

    Args:
        values: an array or a tensor.
        device: where the tensor shall be.
        dtype: its type.
        own: whether it must have memory of its own, since torch may overwrite it.
    """
    if isinstance(values, Tensor):
        return values.detach().to(device, dtype, copy=own or values.is_inference())
    array = as_numpy(values)
    shared = not own and array.flags.writeable and array.flags.c_contiguous
    return torch.from_numpy(array if shared else np.array(array, order="C")).to(device, dtype)


def stays_on_gpu(x: Array) -> bool:
    """Whether results for `x` are given out as tensors: only where `x` itself is a tensor that is not on the CPU."""
    return isinstance(x, Tensor) and x.device.type != "cpu"


def on_device(x: Array, device: torch.device, dtype: torch.dtype) -> Array:
    """`x` as a tensor on this device; itself where that is the CPU, on which arrays are NumPy's."""
    return to_tensor(x, device, dtype, own=False) if stays_on_gpu(torch.empty(0, device=device)) else x


def to_array(tensor: Tensor, x: Array) -> Array:
    """A tensor as the kind of array that `x` is: NumPy, or torch on the device of `x`; float64 or float32."""
    values = tensor.detach()
    values = values if values.dtype == torch.float64 else values.to(torch.float32)
    values = values.contiguous()
    return values.to(x.device) if stays_on_gpu(x) else values.cpu().numpy()


def channels_first(tensor: Tensor, axis: int = -1) -> Tensor:
    """(N, H, W, C), or whatever has its channels at `axis`, as (N, C, H, W); tokens and vectors as they are."""
    return tensor.movedim(axis, 1) if tensor.ndim >= 4 and axis != 1 else tensor


def channels_last(tensor: Tensor, axis: int = -1) -> Tensor:
    """(N, C, H, W) as (N, H, W, C), or with its channels at `axis`; tokens and vectors as they are."""
    return tensor.movedim(1, axis) if tensor.ndim >= 4 and axis != 1 else tensor
