"""A user's own function of activations, differentiated by autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from crosslens.arrays import Array

from ..tensors import to_array, to_tensor

__all__ = ["differentiate"]


def differentiate(
    function: Callable[..., Any], arrays: Sequence[Array], device: Any, *, gradient: bool
) -> tuple[Array, Sequence[Array]] | None:
    """As `crosslens.model.backend.BackendModel.differentiate`, on a device; None where the result needs no gradient."""
    like = arrays[0]
    with torch.inference_mode(False), torch.set_grad_enabled(gradient):
        tensors = [to_tensor(a, device, _dtype(a)).requires_grad_(gradient) for a in arrays]
        values = function(*(tensor.clone() for tensor in tensors))  # it may work in place
        if not gradient:
            return to_array(values, like), ()
        if not isinstance(values, torch.Tensor) or not values.requires_grad:
            return None
        gradients = torch.autograd.grad(values.sum(), tensors, allow_unused=True, materialize_grads=True)
    return to_array(values, like), [to_array(each, a) for each, a in zip(gradients, arrays, strict=True)]


def _dtype(array: Array) -> torch.dtype:
    return torch.float64 if str(array.dtype).endswith("float64") else torch.float32
