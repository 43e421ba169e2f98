"""Whether a torch module's weights are what they were, at the speed of memory."""

from collections.abc import Hashable

import torch
from crosslens.model.digest import content_mark
from torch import Tensor, nn

__all__ = ["weights_mark"]


def weights_mark(net: nn.Module) -> Hashable:
    """By each parameter and buffer: torch's counter of writes to it, where it lies, and its content.

    The counter misses what is written to `.data`; the content's sum misses that two values were exchanged.
    """
    with torch.no_grad():
        return tuple(map(_mark, (*net.parameters(), *net.buffers())))


def _mark(tensor: Tensor) -> Hashable:
    values = tensor.detach()
    version = 0 if tensor.is_inference() else tensor._version
    try:
        return version, tensor.data_ptr(), _content(values)
    except (RuntimeError, TypeError):  # neither dense nor quantised numbers: nothing to read
        return version, id(tensor)


def _content(values: Tensor) -> Hashable:
    order = sorted(range(values.ndim), key=lambda axis: -values.stride(axis))
    raw = values.permute(order).reshape(-1).view(torch.uint8)  # no copy of channels-last values either
    if raw.device.type == "cpu":
        return content_mark(raw.numpy())
    whole = raw.numel() // 4 * 4
    return int(raw[:whole].view(torch.int32).sum(dtype=torch.int64)), raw[whole:].cpu().numpy().tobytes()
